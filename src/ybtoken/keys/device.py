"""The key of a phone: its form in a pass, and the check of the phone's signature (Spec 3.3)."""

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
    # Imported at the first phone's signature, so that a verifier of profile 1 loads only what its issuers' keys need.
    if curve == Curve.P256:
        from ybtoken.keys.p256 import verify_compressed
    else:
        from ybtoken.keys.sm2 import verify_compressed
    return verify_compressed


def device_key_of(key: VerifyingKey) -> DeviceKey:
    """A phone's public key in the form that a pass has it.

    Raises:
        ValueError: a P-256 key is not ES256, or an SM2 key has another user id than the default; the curve fixes both.
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
    """Check the phone's signature with the key in the pass (step 4 for the phone).

    Raises:
        SignatureError: ``device.signature``.
        ClaimsError: the key in the pass is not a point of its curve.
    """
    curve, x, y_is_odd = key
    if cut.curve != curve:
        raise SignatureError("device.signature")
    try:
        _verify_on(curve)(x, y_is_odd, PRESENTATION_PREFIXES[curve] + cut.signed, cut.signature)
    except ValueError:
        raise ClaimsError("claims.shape") from None
