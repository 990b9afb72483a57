"""How libcrypto is found and when it is refused."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.keys._sm2 import evp as _evp_sm2
from ybtoken.keys._sm2 import libcrypto as _libcrypto
from ybtoken.keys._sm2.evp import EvpPrivateKey, EvpPublicKey, load, self_test
from ybtoken.keys._sm2.libcrypto import Libcrypto, LibcryptoError, candidates, leaks_by_timing


@pytest.fixture
def lib() -> Libcrypto:
    """A copy whose functions a test may replace."""
    return Libcrypto(load().path)


def refusal_of(lib: Libcrypto) -> LibcryptoError:
    with pytest.raises(LibcryptoError) as refused:
        self_test(lib)
    return refused.value


def test_the_library_found_passes_its_self_test(lib: Libcrypto) -> None:
    self_test(lib)
    assert lib.version >= (3, 0, 0)


def test_a_path_is_loaded_or_refused_never_replaced() -> None:
    with pytest.raises(LibcryptoError) as refused:
        load("/nonexistent/libcrypto.so.3")
    assert refused.value.code == "libcrypto.missing"


@pytest.mark.skipif(sys.platform != "linux", reason="names a library of Linux")
def test_a_library_that_is_not_openssl_3_is_refused() -> None:
    with pytest.raises(LibcryptoError) as refused:
        load("libc.so.6")
    assert refused.value.code == "libcrypto.version"


def test_no_library_at_all_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_evp_sm2, "candidates", lambda: iter(()))
    with pytest.raises(LibcryptoError) as refused:
        load.__wrapped__()
    assert refused.value.code == "libcrypto.missing"
    assert "install OpenSSL 3" in refused.value.en
    assert "请安装" in refused.value.zh
    assert str(refused.value) == f"{refused.value.en} ({refused.value.zh})"


def test_the_reason_of_the_candidate_that_came_furthest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {
        code: LibcryptoError(code, code, code)
        for code in ("libcrypto.missing", "libcrypto.no-sm2", "libcrypto.version")
    }
    monkeypatch.setattr(_evp_sm2, "candidates", lambda: iter(reasons))
    monkeypatch.setattr(_evp_sm2, "_attempt", reasons.get)
    with pytest.raises(LibcryptoError) as refused:
        load.__wrapped__()
    assert refused.value.code == "libcrypto.no-sm2"


def test_a_library_without_sm2_is_refused(lib: Libcrypto) -> None:
    lib.d2i_PUBKEY = lambda *_: None
    assert refusal_of(lib).code == "libcrypto.no-sm2"


@pytest.mark.parametrize("answer", [0, 1])
def test_a_library_that_gives_one_answer_to_everything_is_refused(lib: Libcrypto, answer: int) -> None:
    lib.EVP_PKEY_verify = lambda *_: answer
    assert refusal_of(lib).code == "libcrypto.self-test"


def test_a_library_whose_signatures_are_wrong_is_refused(lib: Libcrypto) -> None:
    sign = lib.EVP_PKEY_sign
    lib.EVP_PKEY_sign = lambda context, der, length, digest, size: sign(context, der, length, digest[::-1], size)
    assert refusal_of(lib).code == "libcrypto.self-test"


@pytest.mark.parametrize(
    ("version", "leaks"),
    [
        ((3, 0, 0), False),
        ((3, 1, 9), False),
        ((3, 2, 0), True),
        ((3, 2, 5), True),
        ((3, 2, 6), False),
        ((3, 3, 4), True),
        ((3, 3, 5), False),
        ((3, 4, 2), True),
        ((3, 4, 3), False),
        ((3, 5, 3), True),
        ((3, 5, 4), False),
        ((3, 6, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_versions_of_cve_2025_9231(version: tuple[int, int, int], leaks: bool) -> None:
    assert leaks_by_timing(version, "aarch64") is leaks
    assert leaks_by_timing(version, "ARM64") is leaks
    assert not leaks_by_timing(version, "x86_64")


def test_a_leaking_version_verifies_and_never_signs(lib: Libcrypto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    key = EvpPrivateKey.generate(load(), DEFAULT_USER_ID) if load().may_sign else None
    lib.version = (3, 5, 3)
    self_test(lib)
    with pytest.raises(LibcryptoError) as refused:
        EvpPrivateKey.generate(lib, DEFAULT_USER_ID)
    assert refused.value.code == "libcrypto.timing"
    if key:
        assert EvpPublicKey(lib, key.point, DEFAULT_USER_ID).verify(b"message", key.sign(b"message"))


def test_a_library_that_may_sign_is_preferred(lib: Libcrypto, monkeypatch: pytest.MonkeyPatch) -> None:
    leaking = Libcrypto(lib.path)
    leaking.version = (3, 5, 3)
    lib.version = (3, 5, 4)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(_evp_sm2, "candidates", lambda: iter(("leaking", "good")))
    monkeypatch.setattr(_evp_sm2, "_attempt", {"leaking": leaking, "good": lib}.get)
    assert load.__wrapped__() is lib


def test_macos_is_asked_for_whole_paths_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert all(Path(path).is_absolute() for path in candidates())


def test_windows_ships_it_beside_the_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "DLLs").mkdir()
    for name in ("libcrypto-1_1.dll", "libcrypto-3.dll", "libcrypto-3-x64.dll", "libssl-3.dll"):
        (tmp_path / "DLLs" / name).touch()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    assert {Path(path).name for path in candidates()} == {"libcrypto-3.dll", "libcrypto-3-x64.dll"}


def test_linux_asks_this_pythons_own_before_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    found = list(candidates())
    assert found[-2:] == ["libcrypto.so.4", "libcrypto.so.3"]
    assert all("_hashlib" in path for path in found[:-2])


def test_every_function_is_declared_with_its_arguments(lib: Libcrypto) -> None:
    for name, (result, arguments) in _libcrypto._PROTOTYPES.items():
        assert getattr(lib, name).restype is result
        assert getattr(lib, name).argtypes == arguments
