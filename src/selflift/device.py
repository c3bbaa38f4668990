"""Choose the device, the precision and the determinism of a run."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import Tensor


def choose_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` prefers CUDA.

    Raises:
        ValueError: If the device is unknown or missing.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ValueError(f"device: expected auto, cpu or cuda, got '{name}'")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: expected a CUDA device, got none; set device=cpu")
    return torch.device(name)


# Rounding of a float32 product, relative to its largest entry; bfloat16 inputs cost a thousandth.
FLOAT32_ERROR = 1e-5


def prefer_onednn() -> bool:
    """Let oneDNN multiply the float32 matrices of the CPU if its results are as exact.

    PyTorch multiplies float32 matrices with MKL, which is slow on processors of other makers: on an
    AMD EPYC (Zen 5) oneDNN is twice as fast. PyTorch uses oneDNN only if lower precision is
    allowed; on most processors oneDNN still computes in float32. A test product decides: if it
    isn't exact, the setting is restored. So the same machine always decides alike.

    Returns:
        Whether oneDNN multiplies from now on in this process.
    """
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    if matmul is None or not torch.backends.mkldnn.is_available():
        return False
    before = matmul.fp32_precision
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(256, 256, generator=generator)
    b = torch.randn(256, 256, generator=generator)
    exact = a.double() @ b.double()
    matmul.fp32_precision = "bf16"
    error = ((a @ b).double() - exact).abs().max() / exact.abs().max()
    if error > FLOAT32_ERROR:
        matmul.fp32_precision = before
        return False
    return True


# Below this width converting costs more than faster products gain.
BFLOAT16_WIDTH = 512
PRECISIONS: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16}


def choose_precision(device: torch.device, width: int) -> str:
    """Choose the precision of networks: ``"bfloat16"`` where the device multiplies it faster.

    GPUs with bfloat16 units and processors with AVX512-BF16 or AMX do; others emulate it, slower
    than float32.

    Args:
        device: Device that the networks run on.
        width: Features per layer.
    """
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        asked = (
            getattr(torch.cpu, f"_is_{name}_supported", lambda: False)
            for name in ("avx512_bf16", "amx_tile")
        )
        fast = any(ask() for ask in asked)
    return "bfloat16" if fast and width >= BFLOAT16_WIDTH else "float32"


# Read by cuBLAS when it starts. With a work space of their own, concurrent products don't share
# any, which would make the choice of the kernel depend on their order.
CUBLAS_CONFIG = "CUBLAS_WORKSPACE_CONFIG"
CUBLAS_DETERMINISTIC = (":4096:8", ":16:8")


def make_deterministic() -> None:
    """Use only algorithms that always give the same bits, from now on in this process.

    An operator without such an algorithm raises a ``RuntimeError`` when it is run. On the CPU only
    the speed changes. TF32 is left as it is: it rounds the same way each time, and PyTorch doesn't
    use it by default.

    Raises:
        ValueError: If cuBLAS is configured otherwise, or CUDA was initialised too early.
    """
    given = os.environ.get(CUBLAS_CONFIG)
    if torch.cuda.is_available() and given not in CUBLAS_DETERMINISTIC:
        late = torch.cuda.is_initialized()
        if late or given is not None:
            raise ValueError(
                f"engine.deterministic: expected {CUBLAS_CONFIG}={CUBLAS_DETERMINISTIC[0]} in the "
                f"environment{' before CUDA starts' if late else ''}, got "
                f"{'none' if given is None else repr(given)}; set it before starting Python"
            )
        os.environ[CUBLAS_CONFIG] = CUBLAS_DETERMINISTIC[0]
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory instead of returning it to the system.

    A step frees hundreds of MiB, in large pieces, that the next step allocates again. By default
    glibc returns each of them, and the system clears every page again.

    Returns:
        Whether the C library supports this.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def resident(numbers: Iterable[float], like: Tensor, dtype: torch.dtype = torch.long) -> Tensor:
    """Return a few constants, such as indices, as a cached tensor on a device.

    A list would be copied to the device every time, for which a GPU has to wait, and which no CUDA
    graph can contain. Don't change the tensor in place: all callers share it.

    Args:
        numbers: The constants.
        like: A tensor on that device.
        dtype: Type of the constants.
    """
    if torch.compiler.is_compiling():
        # A traced tensor holds no numbers and must not be cached.
        return torch.tensor(tuple(numbers), device=like.device, dtype=dtype)
    return _resident(tuple(numbers), like.device, dtype)


@lru_cache(maxsize=512)
def _resident(numbers: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    # A tensor made in inference mode could not be used in training later.
    with torch.inference_mode(False):
        return torch.tensor(numbers, device=device, dtype=dtype)
