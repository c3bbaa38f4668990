r"""Checkpoint files, format version 1, of two kinds.

**A checkpoint of training** (``.pt``) is a zip archive written by ``torch.save`` that holds one
dictionary of plain values and tensors:

==============  ===================================================================================
``format``      the string ``"selflift.checkpoint"``
``version``     the integer 1
``metadata``    JSON text: selflift's version, the lifter's constructor arguments, the
                normalisation, the resolved config, step, the depth sign and how it was settled
``lifter``      the lifter's weights for inference, name -> tensor
``state``       the training state, or nothing; nested dictionaries of plain values
                and tensors
``sha256``      of the three before, see :func:`~selflift.checkpoint.archive.digest`
==============  ===================================================================================

Reading uses ``torch.load(weights_only=True)``: a file can name tensors and plain containers, and
nothing in it can execute code.

**Weights for inference** (``.safetensors``) are a file of that format: the length of a header,
the header (JSON text), and the bytes of the tensors. Its tensors are the lifter's weights; all of
them may be stored in half precision but those with fewer than two axes, which are small. They are
read as float32. The header's ``__metadata__`` has, as strings:

==============  ===================================================================================
``format``      ``"selflift.checkpoint"``
``version``     ``"1"``
``metadata``    JSON text, as above
``sha256``      hexadecimal, of the metadata's text in UTF-8 and then, for each tensor by name in
                sorted order, the text ``"\n{name} {dtype} {shape}\n"`` (such as
                ``"\nhead.weight F16 [17, 256]\n"``) and its bytes
==============  ===================================================================================

The same content gives the same bytes. Files of both kinds are written atomically: a temporary file
beside the target, flushed to disk, then renamed; whatever happens, the previous file stays whole.
Training keeps the checkpoint before the last one, too.
"""

from pathlib import Path

from selflift.checkpoint import archive, weights
from selflift.checkpoint.archive import load_newest, previous, save
from selflift.checkpoint.content import (
    FORMAT,
    VERSION,
    Checkpoint,
    CheckpointError,
    DamagedError,
    mismatch,
)
from selflift.checkpoint.weights import save_weights

__all__ = [
    "FORMAT",
    "VERSION",
    "Checkpoint",
    "CheckpointError",
    "DamagedError",
    "load",
    "load_newest",
    "mismatch",
    "previous",
    "save",
    "save_weights",
]


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint of training, or weights for inference (``.safetensors``).

    Raises:
        CheckpointError: If the file is missing, corrupt, foreign or of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"checkpoint '{path}': no such file; expected one written by "
            "python -m selflift.train, e.g. RUN_DIR/checkpoints/best.pt"
        )
    return weights.load(path) if path.suffix == weights.SUFFIX else archive.load(path)
