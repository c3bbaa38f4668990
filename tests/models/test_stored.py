"""Networks from files that may tell anything."""

from __future__ import annotations

import pytest
import torch

from selflift.models import Lifter
from selflift.models.stored import network_of

SMALL = {"width": 8, "num_blocks": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": "8"}, "width: expected int, got '8'"),
        ({"width": True}, "width: expected int, got 'True'"),
        ({"depth": None}, "depth: expected float"),
        ({"depth": float("nan")}, "depth: expected float, got 'nan'"),
        ({"skeleton": ["h36m_17"]}, "skeleton: expected str"),
        ({"fix_root": 1}, "fix_root: expected bool"),
        ({"dropout": 5.0}, "dropout"),
        ({"norm": "layer"}, "norm: expected one of"),
        ({"colour": 3}, "unknown argument 'colour'"),
        ({"num_blocks": 10**9}, "num_blocks: expected at most"),
        ({"width": -8}, "negative dimension"),
        ({"width": 10**12}, "overflow|size"),
        # A network of 1.3 TB: refused by its shapes, not for want of memory.
        ({"width": 200_000}, "size mismatch"),
    ],
)
def test_arguments_that_don_t_fit_are_refused(changes: dict, message: str) -> None:
    weights = Lifter(**SMALL).state_dict()
    with pytest.raises((TypeError, ValueError, RuntimeError), match=message):
        network_of(Lifter, {**SMALL, **changes}, weights)


@pytest.mark.parametrize("shape", [(0,), (2,), (0, 3)])
def test_weights_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    weights = Lifter(**SMALL).state_dict()
    for name in weights:
        with pytest.raises(RuntimeError, match="shape|size mismatch"):
            network_of(Lifter, SMALL, {**weights, name: torch.zeros(shape)})


@pytest.mark.parametrize("arguments", [None, 3, "text", [SMALL]])
def test_arguments_that_are_no_mapping_are_refused(arguments: object) -> None:
    with pytest.raises(TypeError, match="expected its arguments, a mapping"):
        network_of(Lifter, arguments, {})


def test_the_network_has_copies_in_its_own_precision_and_can_be_trained() -> None:
    weights = {k: v.double() for k, v in Lifter(**SMALL).state_dict().items()}
    made = network_of(Lifter, {**SMALL, "depth": 8}, weights)
    assert all(p.requires_grad and p.dtype == torch.float32 for p in made.parameters())
    made.mirror_depth()
    assert torch.equal(made.depth_head.bias.double(), -weights["depth_head.bias"])
    assert all(not t.is_meta for t in made.state_dict().values())
