"""Keys in a PKCS#11 token, on SoftHSM 2: threads, forks, lost sessions, and clear words."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ybtoken import Issuer, KeyEntry, KeyRing, Verifier
from ybtoken.algorithms import Algorithm, Curve
from ybtoken.keys.reading import read_public_key

pkcs11 = pytest.importorskip("pkcs11", reason="no python-pkcs11 (extra pkcs11)")
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters  # noqa: E402

from ybtoken.devices.checked import DeviceError  # noqa: E402
from ybtoken.devices.pkcs11 import Pkcs11SigningKey  # noqa: E402

LIBRARY = next(
    (path for path in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so") if Path(path).exists()),
    "",
)
pytestmark = pytest.mark.skipif(not LIBRARY, reason="no SoftHSM here (Debian: softhsm2)")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
    command = ["softhsm2-util", "--init-token", "--free", "--label", "issuer", "--so-pin", "87654321", "--pin", "1234"]
    subprocess.run(command, check=True, capture_output=True)
    loaded = pkcs11.lib(LIBRARY)
    loaded.reinitialize()
    session = loaded.get_token(token_label="issuer").open(user_pin="1234", rw=True)
    parameters = session.create_domain_parameters(
        pkcs11.KeyType.EC,
        {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")},
        local=True,
    )
    for key_id, label in ((b"\x01", "platform"), (b"\x02", "twice"), (b"\x03", "twice")):
        parameters.generate_keypair(store=True, label=label, id=key_id)
    session.close()
    return {"library": LIBRARY, "token": "issuer", "pin": "1234"}


def key_of(hsm: dict[str, Any], **options: Any) -> Pkcs11SigningKey:
    return Pkcs11SigningKey(**(hsm | {"label": "platform"} | options))


def issue(key: Pkcs11SigningKey, count: int) -> list[str]:
    issuer = Issuer(key)
    return [issuer.issue(bytes(16), "330100").text for _ in range(count)]


def test_300_vouchers_from_8_threads_verify(token: dict[str, Any]) -> None:
    key = key_of(token)
    with ThreadPoolExecutor(8) as threads:
        texts = [text for made in threads.map(lambda _: issue(key, 38), range(8)) for text in made]
    assert len(texts) >= 300
    verifier = Verifier(KeyRing([KeyEntry(key.verifying_key, "x")]))
    assert {verifier.verify(text).kid for text in texts} == {key.kid}


def _child(key: Pkcs11SigningKey, answers: Any) -> None:
    try:
        answers.put(issue(key, 5))
    except BaseException as error:
        answers.put(repr(error))


def test_a_forked_process_signs(token: dict[str, Any]) -> None:
    key = key_of(token)
    issue(key, 1)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    children = [context.Process(target=_child, args=(key, answers)) for _ in range(2)]
    for child in children:
        child.start()
    made = [answers.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    verifier = Verifier(KeyRing([KeyEntry(key.verifying_key, "x")]))
    for texts in [*made, issue(key, 2)]:
        assert isinstance(texts, list), texts
        for text in texts:
            verifier.verify(text)


def test_a_lost_session_is_replaced(token: dict[str, Any]) -> None:
    key = key_of(token)
    key._private.session.close()
    assert issue(key, 2)


def _replaced(hsm: dict[str, Any], answers: Any) -> None:
    try:
        first, second = key_of(hsm), key_of(hsm)
        before = second._private.session
        library = ctypes.CDLL(LIBRARY)
        assert 0 in (library.C_Logout(ctypes.c_ulong(handle)) for handle in range(1, 100))
        issue(second, 1)  # it logs in, beside the session of the other key, which did so before
        is_closed = _is_closed(before)  # now, because the other key's new session may get its number
        issue(first, 1)
        after = [first._private.session, second._private.session]
        for key in (second, first, second, first):
            issue(key, 1)
        answers.put((is_closed, [first._private.session, second._private.session] == after))
    except BaseException as error:
        answers.put(repr(error))


def _is_closed(session: Any) -> bool:
    try:
        list(session.get_objects())
    except pkcs11.exceptions.PKCS11Error:
        return True
    return False


def test_a_session_that_is_replaced_is_closed_without_an_end_of_another_keys_login(token: dict[str, Any]) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_replaced, args=(token, answers))
    child.start()
    assert answers.get(timeout=60) == (True, True)
    child.join()


def test_a_key_is_found_by_its_id_and_what_is_wrong_is_said(token: dict[str, Any]) -> None:
    assert key_of(token, label=None, key_id=b"\x02").kid != key_of(token, label="twice", key_id=b"\x03").kid
    for options, words in (
        ({"label": "none"}, "the token has no such private key: label 'none'"),
        ({"label": "twice"}, "several private keys of the token fit"),
        ({"token": "none"}, "there is no token 'none'"),
        ({"public_key": "00"}, "the token's public key: this is no spelling"),
    ):
        with pytest.raises(DeviceError, match=words):
            key_of(token, **options)
    with pytest.raises(DeviceError, match="refused"):
        Pkcs11SigningKey("/nonexistent.so", token="x", pin="1", label="x")
    for options in ({"label": None}, {"mechanism": 7}, {"algorithm": -65537}):
        with pytest.raises(ValueError):
            key_of(token, **options)


def _said(hsm: dict[str, Any], answers: Any) -> None:
    try:
        answers.put(repr(key_of(hsm)))
    except DeviceError as error:
        answers.put(error.en)


def test_a_wrong_pin_is_called_wrong(token: dict[str, Any]) -> None:
    context = multiprocessing.get_context("fork")  # a login holds for the whole process, and this one has logged in
    answers = context.Queue()
    child = context.Process(target=_said, args=(token | {"pin": "9999"}, answers))
    child.start()
    assert answers.get(timeout=60) == "the PIN is wrong; several attempts lock the token"
    child.join()


def test_both_forms_of_the_public_point_are_read_and_another_is_refused(token: dict[str, Any]) -> None:
    key = key_of(token)
    point = b"\x04" + b"".join(key.verifying_key.point)
    for spelled in (point, b"\x04\x41" + point, point.hex()):
        assert key_of(token, public_key=spelled).kid == key.kid
    session = pkcs11.lib(LIBRARY).get_token(token_label="issuer").open()
    public = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label="platform")
    for written in (encode_ec_public_key(public), bytes(public[pkcs11.Attribute.EC_POINT])):
        assert read_public_key(written, curve=Curve.P256).point == point
    session.close()
    other = key_of(token, label=None, key_id=b"\x02").verifying_key
    wrong = key_of(token, public_key=other.to_pem())
    with pytest.raises(DeviceError, match="does not verify under its public key"):
        wrong.sign(b"m")


@pytest.fixture
def vendors(token: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The token with SM2 by a vendor's mechanism and key type, which SoftHSM 2 lacks."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here (Debian: gcc libssl-dev)")
    source, target = Path(__file__).with_name("pkcs11_double.c"), tmp_path / "double.so"
    command = ["cc", "-shared", "-fPIC", "-o", target, source, "-lcrypto", "-ldl"]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"the double was not compiled (Debian: gcc libssl-dev): {made.stderr[-200:]}")
    monkeypatch.setenv("PKCS11_DOUBLE_OF", LIBRARY)
    return token | {"library": str(target), "algorithm": Algorithm.SM2, "mechanism": 0x80000100}


def test_sm2_signs_by_a_vendors_mechanism(vendors: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_of(vendors, user_id=b"platform")
    verifier = Verifier(KeyRing([KeyEntry(key.verifying_key, "x")]))
    assert {verifier.verify(text).algorithm for text in issue(key, 20)} == {Algorithm.SM2}
    with pytest.raises(DeviceError, match="the token refused: MechanismInvalid"):
        key_of(vendors | {"mechanism": 0x80000101}).sign(b"m")
    monkeypatch.setenv("SDF_DOUBLE_FAULT", "swap")
    with pytest.raises(DeviceError, match="s stands before r"):
        key.sign(b"m")
