"""The device of a run, and how it multiplies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from selflift import device
from selflift.device import (
    choose_device,
    choose_precision,
    keep_freed_memory,
    prefer_onednn,
    resident,
)

MATMUL = getattr(torch.backends.mkldnn, "matmul", None)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = None if MATMUL is None else MATMUL.fp32_precision
    yield
    if MATMUL is not None:
        MATMUL.fp32_precision = before


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ValueError, match="expected auto, cpu or cuda, got 'tpu'"):
        choose_device("tpu")
    assert choose_device("cpu").type == "cpu"


def test_products_stay_exact() -> None:
    taken = prefer_onednn()
    generator = torch.Generator().manual_seed(1)
    for rows, inner, columns in ((7, 34, 256), (512, 256, 256), (300, 1024, 17)):
        a = torch.randn(rows, inner, generator=generator)
        b = torch.randn(columns, inner, generator=generator).T
        exact = a.double() @ b.double()
        assert float(((a @ b).double() - exact).abs().max() / exact.abs().max()) < 1e-5, taken
    turns = torch.randn(64, 3, 3, generator=generator)
    bodies = torch.randn(64, 17, 3, generator=generator)
    exact = bodies.double() @ turns.double()
    torch.testing.assert_close((bodies @ turns).double(), exact, rtol=0, atol=1e-5)


@pytest.mark.skipif(MATMUL is None, reason="this PyTorch has no such setting")
def test_where_products_are_not_exact_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MATMUL is not None
    before = MATMUL.fp32_precision
    monkeypatch.setattr(device, "FLOAT32_ERROR", 0.0)
    assert not prefer_onednn()
    assert MATMUL.fp32_precision == before


def test_bfloat16_is_chosen_for_wide_networks_where_it_is_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cpu = torch.device("cpu")
    for name in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda: False, raising=False)
    assert choose_precision(cpu, 1024) == "float32"
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert choose_precision(cpu, 1024) == "bfloat16"
    assert choose_precision(cpu, 256) == "float32"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()


def test_constants_are_made_once_and_serve_training_after_inference() -> None:
    like = torch.zeros(1)
    with torch.inference_mode():
        first = resident((2, 0), like)
    assert resident([2, 0], like) is first and first.tolist() == [2, 0]
    assert resident((2, 0), like, torch.float32).dtype == torch.float32
    x = torch.arange(3.0, requires_grad=True)
    x[first].sum().backward()
    assert x.grad is not None and x.grad.tolist() == [1, 0, 1]
