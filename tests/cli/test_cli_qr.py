from __future__ import annotations

import sys

import pytest

zxingcpp = pytest.importorskip("zxingcpp", reason="zxing-cpp is not installed")
image = pytest.importorskip("PIL.Image", reason="pillow is not installed")


def read(file):
    with image.open(file) as picture:
        found = zxingcpp.read_barcodes(picture.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
        return [code.text for code in found]


def test_a_png_holds_the_text(run, office, tmp_path):
    text = office.text()
    result = run("qr", text, "--out", tmp_path / "code.png", "--scale", 4)
    assert result.exit_code == 0, result.output
    assert "version 8-M, 49 modules a side" in result.stdout
    assert read(tmp_path / "code.png") == [text]
    with image.open(tmp_path / "code.png") as picture:
        assert picture.size == (4 * 57, 4 * 57)


def test_an_svg_is_black_on_white(run, office, tmp_path):
    assert run("qr", "-o", tmp_path / "code.SVG", stdin=office.text()).exit_code == 0
    svg = (tmp_path / "code.SVG").read_text()
    assert svg.startswith("<?xml")
    assert "#fff" in svg


def test_the_terminal_shows_the_modules_of_the_text(run, office, tmp_path):
    text = office.text()
    rows = run("qr", text).stdout.replace("\x1b[30m\x1b[107m", "").replace("\x1b[0m", "").splitlines()
    halves = {" ": (255, 255), "▀": (0, 255), "▄": (255, 0), "█": (0, 0)}
    pixels = bytearray()
    for row in filter(None, rows):
        pixels += bytes(halves[block][0] for block in row) + bytes(halves[block][1] for block in row)
    picture = image.frombytes("L", (57, len(pixels) // 57), bytes(pixels))
    picture.resize((57 * 4, picture.height * 4)).save(tmp_path / "shot.png")
    assert read(tmp_path / "shot.png") == [text]


def test_colours_survive_a_pipe(run, office):
    assert "\x1b[107m" in run("qr", office.text()).stdout


def test_what_is_no_voucher_is_not_drawn(run, office, tmp_path):
    for text in ("123", office.text()[:-1] + "x"):
        result = run("qr", text, "-o", tmp_path / "code.png")
        assert result.exit_code == 1
        assert "[text." in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_misuse(run, office, tmp_path):
    assert run("qr", office.text(), "-o", tmp_path / "code.jpg").exit_code == 2
    assert run("qr", office.text(), office.text(), "-o", tmp_path / "code.png").exit_code == 2
    assert run("qr", office.text(), "--scale", 0).exit_code == 2
    assert run("qr").exit_code == 2


def test_a_missing_segno_is_named(run, office, monkeypatch):
    monkeypatch.delitem(sys.modules, "ybtoken.qr", raising=False)
    monkeypatch.setitem(sys.modules, "segno", None)
    result = run("qr", office.text())
    assert result.exit_code == 2
    assert "ybtoken[qr]" in result.stderr
