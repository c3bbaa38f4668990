"""Operators whose CUDA kernels may give other bits each time, as PyTorch documents them.

Source: the documentation of ``torch.use_deterministic_algorithms``, PyTorch 2.13. Names are those
that the dispatcher sees, without the overload; what is told of a gradient stands under the name of
the operator that computes it.
"""

from __future__ import annotations

# With engine.deterministic=true they raise a RuntimeError: no training may use them.
WITHOUT_A_DETERMINISTIC_VARIANT = frozenset((
    "avg_pool3d_backward", "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward",
    "adaptive_max_pool2d_backward", "fractional_max_pool2d_backward",
    "fractional_max_pool3d_backward", "max_unpool2d", "max_unpool3d",
    "upsample_linear1d_backward", "upsample_bilinear2d_backward", "upsample_bicubic2d_backward",
    "upsample_trilinear3d_backward", "reflection_pad1d_backward", "reflection_pad2d_backward",
    "reflection_pad3d_backward", "nll_loss_forward", "nll_loss2d_forward", "_ctc_loss_backward",
    "_embedding_bag_dense_backward", "put", "put_", "histc", "bincount", "median", "nanmedian",
    "kthvalue", "grid_sampler_2d_backward", "grid_sampler_3d_backward", "cumsum", "cumsum_",
    "scatter_reduce", "scatter_reduce_",
))  # fmt: skip

# With it they take another, slower algorithm; without it, sums are taken in any order. An index_put
# that accumulates is missing here: on CUDA it sorts its indices first, with and without the switch.
WITH_A_DETERMINISTIC_VARIANT = frozenset((
    "convolution", "convolution_backward", "replication_pad1d_backward",
    "replication_pad2d_backward", "replication_pad3d_backward", "scatter_add", "scatter_add_",
    "index_add", "index_add_", "index_copy", "index_copy_", "scatter", "scatter_",
    "max_pool3d_with_indices_backward", "gather_backward", "index_select_backward",
    "repeat_interleave",
))  # fmt: skip
