"""The key of a phone: how a pass carries it, and the check of what the phone signed (Spec 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ybtoken.algorithms import DEFAULT_USER_ID, Curve
from ybtoken.errors import ClaimsError, SignatureError
from ybtoken.keys.protocols import VerifyingKey
from ybtoken.voucher import DeviceKey
from ybtoken.wire.presentation import DEVICE_ALGORITHMS, PRESENTATION_PREFIXES, CutPresentation
from ybtoken.words import BoundsError

__all__ = ["check_presentation", "device_key_of"]


@cache
def _verify_on(curve: int) -> Callable[[bytes, bool, bytes, bytes], None]:
    # Imported at the first phone's signature: a verifier of profile 1 loads only the backend of its own issuers' keys.
    if curve == Curve.P256:
        from ybtoken.keys.p256 import verify_compressed
    else:
        from ybtoken.keys.sm2 import verify_compressed
    return verify_compressed


def device_key_of(key: VerifyingKey) -> DeviceKey:
    """A phone's public key as a pass carries it.

    Raises:
        ValueError: a P-256 key that is not ES256, or an SM2 key with a user id of its own: the curve fixes both.
    """
    curve = key.algorithm.curve
    if key.algorithm is not DEVICE_ALGORITHMS[curve]:
        wanted = DEVICE_ALGORITHMS[curve].name
        raise BoundsError(
            f"a device key on {curve.name} is {wanted}, not {key.algorithm.name}",
            f"{curve.name} 曲线上的手机密钥应为 {wanted}，实为 {key.algorithm.name}",
        )
    if curve is Curve.SM2 and getattr(key, "user_id", DEFAULT_USER_ID) != DEFAULT_USER_ID:
        raise BoundsError("an SM2 device key has the default user id", "手机的 SM2 密钥应采用默认用户标识")
    x, y = key.point
    return DeviceKey(int(curve), x, bool(y[-1] & 1))


def check_presentation(cut: CutPresentation, key: DeviceKey) -> None:
    """Step 4 for the phone: check its signature with the key that the pass names.

    Raises:
        SignatureError: ``device.signature``.
        ClaimsError: the pass names a key that is no point of its curve.
    """
    curve, x, y_is_odd = key
    if cut.curve != curve:
        raise SignatureError("device.signature")
    try:
        _verify_on(curve)(x, y_is_odd, PRESENTATION_PREFIXES[curve] + cut.signed, cut.signature)
    except ValueError:
        raise ClaimsError("claims.shape") from None
