"""No profile passes for another: each ordered pair of what can be shown and what it could be taken for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import IAT, refused, text, token
from cases.passes import (
    STEP,
    device_pass,
    device_text,
    pass_case,
    presentation,
    rotating_pass,
    rotating_text,
    shown,
    totp,
)
from cases.statuslist import status_list

ABOUT = "What one profile is, shown as another: all of it is refused, and none of it as a weaker token."
PROFILE, SHAPE = refused("claims.profile"), refused("envelope.shape")


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    voucher, rotating, device = token(), rotating_pass(), device_pass()
    display, the_list = presentation(), status_list()
    code = totp(STEP)
    for name, why, spelled, expect in (
        ("voucher-as-rotating", "a voucher with a one-time code", rotating_text(voucher, code), PROFILE),
        ("voucher-as-device", "a voucher under the prefix of device-bound passes", text(voucher, "98"), SHAPE),
        ("voucher-presented", "a voucher in a phone's presentation", device_text(presentation(shown(voucher))), PROFILE),
        ("rotating-as-voucher", "a rotating pass, shown without its code as a voucher", text(rotating), PROFILE),
        ("rotating-code-as-voucher", "a rotating pass with its code, under a voucher's prefix",
         rotating_text(rotating, code, "96"), refused("text.length")),
        ("rotating-as-device", "a rotating pass under the prefix of device-bound passes", text(rotating, "98"), SHAPE),
        ("rotating-presented", "a rotating pass in a phone's presentation", device_text(presentation(shown(rotating))),
         PROFILE),
        ("device-as-voucher", "the device part was stripped, and the pass is shown as a voucher", text(device), PROFILE),
        ("device-as-rotating", "the device part was stripped, and a one-time code added", rotating_text(device, code),
         PROFILE),
        ("device-stripped", "the device part was stripped", text(device, "98"), SHAPE),
        ("display-as-voucher", "a whole presentation, shown as a voucher", text(display), SHAPE),
        ("display-as-rotating", "a whole presentation with a one-time code", rotating_text(display, code), SHAPE),
        ("list-as-voucher", "a status list, shown as a voucher", text(the_list), SHAPE),
        ("list-as-rotating", "a status list with a one-time code", rotating_text(the_list, code), SHAPE),
        ("list-as-device", "a status list under the prefix of device-bound passes", text(the_list, "98"), SHAPE),
        ("list-presented", "a status list in a phone's presentation", device_text(presentation(shown(the_list))), SHAPE),
    ):  # fmt: skip
        yield pass_case(f"downgrade/{name}", why, spelled, expect)
    yield pass_case("downgrade/rotating-fresh", "a rotating pass, seconds old, is no voucher either",
                    text(rotating_pass()), PROFILE, now=IAT + 5)  # fmt: skip
