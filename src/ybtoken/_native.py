"""The one place that loads the native module (extra ``native``) and checks that it fits this ybtoken."""

try:
    import ybtoken_native
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "the native engine is a distribution of its own: pip install 'ybtoken[native]' / 请安装 ybtoken[native]",
        name="ybtoken_native",
    ) from error


__all__ = ["ybtoken_native"]

_ABI = 3
if ybtoken_native.ABI != _ABI:
    raise ImportError(
        f"ybtoken-native {ybtoken_native.VERSION} (ABI {ybtoken_native.ABI}) does not fit this ybtoken (ABI {_ABI}): "
        "install the versions that belong together / 请安装相互匹配的版本"
    )
