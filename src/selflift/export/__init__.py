"""A lifter for programs without selflift: an ONNX file, or a program of ``torch.export``.

Both hold the whole path from pixels to metres (:class:`PixelLifter`), for batches of any size::

    from selflift.export import export_onnx, export_program

    lifter = selflift.load("cmu17")
    export_onnx(lifter, "lifter.onnx")      # pip install 'selflift[export]'
    export_program(lifter, "lifter.pt2")

Inputs, float32: ``keypoints`` (B, J, 2) and ``confidence`` (B, J) in the lifter's own layout,
``f_px`` (2), ``c_px`` (2), ``stature_m`` (a scalar). Outputs: ``X_m`` (B, J, 3), ``root_m`` (B, 3),
``elevation_rad`` (B). ``docs/export.md`` shows how the files are used.
"""

from selflift.export.model_files import export_onnx, export_program
from selflift.export.pixel_lifter import INPUTS, OUTPUTS, PixelLifter

__all__ = ["INPUTS", "OUTPUTS", "PixelLifter", "export_onnx", "export_program"]
