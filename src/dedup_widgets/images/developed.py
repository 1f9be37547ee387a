"""Cameras' raw files, developed as a whole: by LibRaw, where the package rawpy is installed."""

import io
from typing import Any

from PIL import Image, ImageFile


class DevelopedFile(ImageFile.ImageFile):
    """A raw file as Pillow has pictures: its size is known at once, and it is developed on loading.

    It has 8 bits a sample, by the white balance of the camera, and is the right way up.
    """

    format = "RAW"
    is_upright = True

    def _open(self) -> None:
        import rawpy

        assert self.fp is not None
        data = self.fp.read()
        self._raw: Any = rawpy.imread(io.BytesIO(data))
        sizes = self._raw.sizes
        is_turned = sizes.flip & 4
        width, height = sizes.iwidth, sizes.iheight
        self._size = (height, width) if is_turned else (width, height)
        self._mode = "RGB"
        if data[:2] in (b"II", b"MM"):
            self.info["exif"] = b"Exif\0\0" + data
        self.tile = []

    def load(self) -> Any:
        """Develop it."""
        if self._raw is not None:
            import rawpy

            raw, self._raw = self._raw, None
            with raw:
                developed = raw.postprocess(
                    use_camera_wb=True, demosaic_algorithm=rawpy.DemosaicAlgorithm.LINEAR
                )
            # Of a sensor whose filters nobody names there is light alone.
            is_grey = developed.ndim == 3 and developed.shape[2] == 1
            picture = Image.fromarray(developed[..., 0] if is_grey else developed).convert("RGB")
            self._size, self.im = picture.size, picture.im
        return super().load()
