from __future__ import annotations

import io
import subprocess
import sys

import pytest

pytest.importorskip("segno", reason="the extra qr is not installed")
zxingcpp = pytest.importorskip("zxingcpp", reason="zxing-cpp is not installed")
pytest.importorskip("PIL", reason="pillow is not installed")

from PIL import Image, ImageFilter, ImageOps  # noqa: E402

from tests.qr_symbol import bits_of, numeric_segment  # noqa: E402
from tests.support import CITY, EXTRAS, HOLDER, NOW, fake_issuer, fake_verifier  # noqa: E402
from ybtoken import Issuer, MemoryReplayGuard, Verifier, normalize_scan  # noqa: E402
from ybtoken.errors import RedeemError  # noqa: E402
from ybtoken.qr import QUIET_ZONE, QrCode  # noqa: E402


@pytest.fixture(scope="module")
def token():
    """A token as long as a real one, and the same in every run, because whether a picture can be read depends on it."""
    return fake_issuer().issue(HOLDER, CITY)


@pytest.fixture(scope="module")
def verifier():
    return fake_verifier()


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def read(picture: Image.Image) -> str:
    """What a scanner reads from a picture, with its additions."""
    results = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    assert len(results) == 1
    return results[0].symbology_identifier + results[0].text + "\r\n"


def matrix(code: QrCode) -> list[list[int]]:
    return [list(map(int, row)) for row in code.symbol.matrix]


class TestSymbol:
    def test_a_base_token_fits_version_8_m(self, token):
        assert token.qr.version == 8
        assert token.qr.symbol.error == "M"

    def test_channel_and_purpose_still_fit_version_8_m(self):
        token = fake_issuer().issue(HOLDER, CITY, channel=300, purpose="01301")
        assert token.qr.version == 8
        assert numeric_segment(bits_of(matrix(token.qr)))[0] == token.text

    def test_an_sm2_token_fits_version_8_m(self):
        assert QrCode("9" * 347).version == 8
        assert (QrCode("9" * 365).version, QrCode("9" * 366).version) == (8, 9)

    def test_it_holds_exactly_one_numeric_segment(self, token):
        digits, rest = numeric_segment(bits_of(matrix(token.qr)))
        assert digits == token.text
        # Only the terminator and the padding of the standard follow: no further segment, and no ECI.
        assert rest[:4] == "0000"
        padding = rest[-(len(rest) // 8 * 8) :]
        bytes_left = [padding[i : i + 8] for i in range(0, len(padding), 8)]
        if int(bytes_left[0], 2) == 0:
            bytes_left.pop(0)
        assert bytes_left == (["11101100", "00010001"] * len(bytes_left))[: len(bytes_left)]

    @pytest.mark.parametrize("text", ["96x", "", "９６", "96 12", "²", "-96"])
    def test_nothing_but_digits_is_drawn(self, text):
        with pytest.raises(ValueError, match="digits only"):
            QrCode(text)


class TestPictures:
    def verified(self, verifier, token, picture: Image.Image) -> None:
        assert verifier.verify(normalize_scan(read(picture))).nonce == token.voucher.nonce

    @pytest.mark.parametrize("scale", [2, 3, 8, 20])
    def test_it_is_read_at_every_size(self, verifier, token, scale):
        picture = opened(token.qr.png(scale=scale))
        assert picture.size == ((49 + 2 * QUIET_ZONE) * scale,) * 2
        self.verified(verifier, token, picture)

    @pytest.mark.parametrize("factor", [0.4, 0.71, 1.37, 2.5])
    def test_it_is_read_when_it_is_scaled(self, verifier, token, factor):
        picture = opened(token.qr.png()).convert("L")
        size = round(picture.width * factor)
        self.verified(verifier, token, picture.resize((size, size), Image.Resampling.BILINEAR))

    @pytest.mark.parametrize("angle", [3, 17, 45, 90, 180, 271, 333])
    def test_it_is_read_when_it_is_rotated(self, verifier, token, angle):
        picture = opened(token.qr.png()).convert("L")
        turned = picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
        self.verified(verifier, token, turned)

    @pytest.mark.parametrize("radius", [1, 2, 3])
    def test_it_is_read_when_it_is_blurred(self, verifier, token, radius):
        self.verified(verifier, token, opened(token.qr.png()).convert("L").filter(ImageFilter.GaussianBlur(radius)))

    @pytest.mark.parametrize("angle", [0, 12])
    def test_it_is_read_in_a_dark_surround(self, verifier, token, angle):
        """The quiet zone is in the picture, so a dark page does not remove it."""
        picture = ImageOps.expand(opened(token.qr.png()).convert("L"), border=200, fill=0)
        self.verified(verifier, token, picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=0))

    @pytest.mark.parametrize("quality", [10, 40, 90])
    def test_it_is_read_from_a_jpeg(self, verifier, token, quality):
        out = io.BytesIO()
        opened(token.qr.png(scale=4)).convert("RGB").save(out, "JPEG", quality=quality)
        self.verified(verifier, token, opened(out.getvalue()))

    def test_it_is_read_dim_turned_and_blurred_at_once(self, verifier, token):
        picture = ImageOps.expand(opened(token.qr.png()).convert("L"), border=120, fill=20)
        picture = picture.rotate(7, Image.Resampling.BICUBIC, expand=True).filter(ImageFilter.GaussianBlur(1.5))
        self.verified(verifier, token, picture.point(lambda level: 40 + level // 4))

    def test_a_token_with_every_extra_is_read(self, verifier):
        token = fake_issuer().issue(HOLDER, CITY, **EXTRAS)
        self.verified(verifier, token, opened(token.qr.png(scale=4)))

    def test_a_real_token_is_issued_drawn_read_verified_and_redeemed_once(self, p256_key, p256_ring):
        verifier = Verifier(p256_ring, guard=MemoryReplayGuard(clock=lambda: NOW), clock=lambda: NOW)
        token = Issuer(p256_key, clock=lambda: NOW).issue(HOLDER, CITY)
        text = normalize_scan(read(opened(token.qr.png())))
        assert text == token.text
        assert verifier.redeem(text).identity_ref == HOLDER
        with pytest.raises(RedeemError):
            verifier.redeem(text)

    def test_a_scanner_tells_of_no_eci(self, token):
        result = zxingcpp.read_barcodes(opened(token.qr.png()), formats=zxingcpp.BarcodeFormat.QRCode)[0]
        assert result.symbology_identifier == "]Q1"
        assert result.bytes.decode() == token.text

    def test_it_is_black_on_white_with_a_quiet_zone(self, token):
        picture = opened(token.qr.png(scale=1)).convert("RGB")
        assert {colour for _, colour in picture.getcolors()} == {(0, 0, 0), (255, 255, 255)}
        for edge in range(QUIET_ZONE):
            for at in range(picture.width):
                for x, y in ((edge, at), (at, edge), (-1 - edge, at), (at, -1 - edge)):
                    assert picture.getpixel((x % picture.width, y % picture.width)) == (255, 255, 255)
        assert picture.getpixel((QUIET_ZONE, QUIET_ZONE)) == (0, 0, 0)


class TestOtherForms:
    def test_an_svg_draws_its_white_ground(self, token):
        svg = token.qr.svg(scale=4)
        assert svg.startswith("<?xml")
        assert 'width="228"' in svg
        assert '"#fff"' in svg
        assert '"#000"' in svg

    def test_a_terminal_shows_the_same_modules(self, token):
        lines = token.qr.terminal().splitlines()
        assert len(lines) == (49 + 2 * QUIET_ZONE + 1) // 2
        assert all(line.startswith("\x1b[30m\x1b[107m") and line.endswith("\x1b[0m") for line in lines)
        rows = []
        for line in lines:
            blocks = line.removeprefix("\x1b[30m\x1b[107m").removesuffix("\x1b[0m")
            rows.append([block in "▀█" for block in blocks])
            rows.append([block in "▄█" for block in blocks])
        drawn = [list(map(bool, row)) for row in token.qr.symbol.matrix_iter(border=QUIET_ZONE)]
        assert rows == [*drawn, [False] * len(drawn[0])]


def test_without_segno_the_extra_is_named():
    script = "import sys; sys.modules['segno'] = None; import ybtoken.qr"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "pip install 'ybtoken[qr]'" in done.stderr


def test_it_draws_strings_of_digits_only():
    with pytest.raises(TypeError, match="text is a string, not bytes"):
        QrCode(b"96")
    with pytest.raises(ValueError, match="digits only"):
        QrCode("")
