"""Key rings in files: JWK Sets (RFC 7517) and COSE_KeySets (RFC 9052 section 7).

This module owns the names of our members beside the standard ones. A key set is configuration from a trusted place, so
anything wrong in it raises `ValueError`, never a `TokenError`. A set means the same to every reader in any language: no
member occurs twice, an integer has one spelling and at most 53 bits, and null is not a value (Spec 5).

| JWK member | COSE_Key label | meaning |
|---|---|---|
| ``alg``, ``kid`` | 3, 2 | the key's one algorithm; its kid (hex in JWK), compared with the computed one |
| ``yb_issuer`` | -65537 | the issuer's name |
| ``yb_scope``, ``yb_except`` | -65538, -65539 | prefixes of the insured places, exclusions |
| ``nbf``, ``exp`` | -65540, -65541 | not before, not after (seconds since 1970) |
| ``yb_withdrawn_since`` | -65542 | tokens issued at or after this time are refused (seconds since 1970) |
| ``yb_user_id`` | -65543 | SM2 keys only: the SM2 user id (base64url in JWK); `DEFAULT_USER_ID` if left out |
| ``yb_use`` | -65544 | "tokens", the default, or "status" |
| ``yb_status_uri`` | -65545 | the address of the status list of the passes that it signs |

Beside ``keys``, a JWK Set may state ``yb_version``: a later ring has a greater one.

No names are registered for SM2: ``"crv": "SM2"`` and ``"alg": "SM2"`` in JWK, and -65537 for both in COSE_Key, are our
own choice.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import Any, NoReturn, TypeVar

import cbor2

from ybtoken.algorithms import DEFAULT_USER_ID, Algorithm, Curve
from ybtoken.keys._pem import refuse_path
from ybtoken.keys.p256 import P256VerifyingKey
from ybtoken.keys.protocols import VerifyingKey
from ybtoken.keys.ring import FOREVER, MAX_KEYS, KeyEntry, KeyRing, Use
from ybtoken.keys.sm2 import SM2Backend, SM2VerifyingKey
from ybtoken.places import Scope
from ybtoken.voucher import MAX_UINT32
from ybtoken.wire.cbor import load_plain
from ybtoken.wire.envelope import CRV, EC2, KTY, X, Y
from ybtoken.words import BoundsError, Words, words_of

__all__ = ["dump_cose_keyset", "dump_jwks", "load_cose_keyset", "load_jwks", "load_key_set"]

_JWK_CURVES = {Curve.P256: "P-256", Curve.SM2: "SM2"}
_JWK_ALGORITHMS = {Algorithm.ES256: "ES256", Algorithm.ESP256: "ESP256", Algorithm.SM2: "SM2"}
_KID, _ALG = 2, 3  # labels in a COSE_Key; those in a header differ
_COSE_LABELS = {
    "yb_issuer": -65537,
    "yb_scope": -65538,
    "yb_except": -65539,
    "nbf": -65540,
    "exp": -65541,
    "yb_withdrawn_since": -65542,
    "yb_user_id": -65543,
    "yb_use": -65544,
    "yb_status_uri": -65545,
}


def load_jwks(document: str | bytes, *, sm2_backend: SM2Backend | None = None) -> KeyRing:
    """Read a key ring from a JWK Set.

    Args:
        document: the JWK Set itself, not the name of its file.
        sm2_backend: what verifies signatures of its SM2 keys; see `SM2VerifyingKey`.

    Raises:
        TypeError: the document is neither text nor bytes.
        ValueError: this is not a JWK Set, a member, algorithm or curve is unknown, a key is private, a kid is not that
            of its key, a point is not on its curve, or two keys have the same kid.
    """
    refuse_path("a JWK Set", document)
    if not isinstance(document, (str, bytes)):
        raise TypeError(f"a JWK Set is text or bytes, not {type(document).__name__}")
    jwks = _json(document)
    if not isinstance(jwks, dict) or set(jwks) - {"yb_version"} != {"keys"} or not isinstance(jwks["keys"], list):
        raise BoundsError(
            'a JWK Set is an object with an array "keys", and no other member but "yb_version"',
            'JWK Set 应为含数组 "keys" 的对象，此外只可有 "yb_version"',
        )
    version = jwks.get("yb_version", 1)
    if type(version) is not int or version < 1:
        raise BoundsError('"yb_version" is an integer from 1 on', '"yb_version" 应为不小于 1 的整数')
    entries = _numbered(jwks["keys"], partial(_entry_from_jwk, sm2_backend))
    return KeyRing(entries, version=version if "yb_version" in jwks else 0)


def dump_jwks(keys: KeyRing) -> str:
    """A key ring as the text of a JWK Set."""
    document: dict[str, Any] = {"yb_version": keys.version} if keys.version else {}
    document |= {"keys": [_jwk(entry) for entry in keys.entries]}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def load_key_set(document: bytes, *, sm2_backend: SM2Backend | None = None) -> KeyRing:
    """Read a key ring from the bytes of a file: a JWK Set if it is JSON, else a COSE_KeySet.

    Editors on Windows put a byte order mark before a text. A file may begin with one, which is removed here; the JWK
    Set itself has none.
    """
    text = document.removeprefix(_BOM)
    if text.lstrip()[:1] == b"{":
        return load_jwks(text, sm2_backend=sm2_backend)
    return load_cose_keyset(document, sm2_backend=sm2_backend)


def load_cose_keyset(document: bytes, *, sm2_backend: SM2Backend | None = None) -> KeyRing:
    """Read a key ring from a COSE_KeySet. Arguments and errors are those of `load_jwks`."""
    refuse_path("a COSE_KeySet", document)
    if not isinstance(document, bytes):
        raise TypeError(f"a COSE_KeySet is bytes, not {type(document).__name__}")
    keys = load_plain(document)
    if not isinstance(keys, (list, tuple)):
        raise BoundsError("a COSE_KeySet is an array", "COSE_KeySet 应为数组")
    _check_items(keys)
    # `load_plain` leaves bytes after the array, and keeps the last of two members with one label: either may hide one.
    if cbor2.dumps(keys) != document:
        raise BoundsError(
            "a COSE_KeySet is in its shortest encoding, has each label once, and nothing follows it",
            "COSE_KeySet 应为最短编码，标签不得重复，其后不得有其他内容",
        )
    return KeyRing(_numbered(keys, partial(_entry_from_cose_key, sm2_backend)))


def dump_cose_keyset(keys: KeyRing) -> bytes:
    """A key ring as a COSE_KeySet, which has no place for the ring's version."""
    return cbor2.dumps([_cose_key(entry) for entry in keys.entries], canonical=True)


_BOM = b"\xef\xbb\xbf"
_MAX_INTEGER = (1 << 53) - 1
"""The largest integer that every JSON reader can represent (RFC 7493 section 2.2)."""


def _json(document: str | bytes) -> Any:
    """Read JSON that has one meaning: in UTF-8, no name twice, and the only numbers are integers in one spelling."""
    try:
        text = document if isinstance(document, str) else document.decode()
        return json.loads(
            text, object_pairs_hook=_once, parse_int=_integer, parse_float=_no_integer, parse_constant=_no_integer
        )
    except RecursionError as error:
        raise BoundsError("not a JWK Set: nested too deeply", "不是 JWK Set：嵌套过深") from error
    except json.JSONDecodeError as error:
        en = f"not a JWK Set: no JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        raise BoundsError(en, f"不是 JWK Set：第 {error.lineno} 行第 {error.colno} 列不是 JSON") from error
    except UnicodeDecodeError as error:
        en = f"not a JWK Set: its byte {error.start} is not UTF-8"
        raise BoundsError(en, f"不是 JWK Set：第 {error.start + 1} 字节不是 UTF-8") from error


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    once = dict(members)
    if len(once) != len(members):
        raise BoundsError("a member stands twice", "同一成员出现两次")
    return once


def _integer(text: str) -> int:
    # The length comes first: Python refuses to read some thousand digits, in words of its own.
    if text == "-0" or len(text) > len("-9007199254740991") or abs(number := int(text)) > _MAX_INTEGER:
        _no_integer(text)
    return number


def _no_integer(text: str) -> NoReturn:
    raise BoundsError(
        f"a number is an integer of at most 53 bits, without fraction or exponent, not {text[:40]}",
        f"数值应为不超过 53 位的整数，不带小数和指数，实为 {text[:40]}",
    )


def _check_items(item: Any) -> None:
    """Refuse anything but integers, byte strings, texts, arrays and maps, because in Python true and 1.0 equal 1."""
    if isinstance(item, (list, tuple)):
        for inner in item:
            _check_items(inner)
    elif isinstance(item, Mapping):
        if odd := [label for label in item if type(label) is not int]:
            raise BoundsError(f"unknown labels {odd}: a label is an integer", f"未知标签 {odd}：标签应为整数")
        _check_items(list(item.values()))
    elif type(item) not in (int, bytes, str) or (type(item) is int and abs(item) > _MAX_INTEGER):
        raise BoundsError(
            "an item is an integer of at most 53 bits, a byte string, a text, an array or a map",
            "各项应为不超过 53 位的整数、字节串、文本、数组或 map",
        )


def _numbered(keys: list[Any] | tuple[Any, ...], read: Callable[[Mapping[Any, Any]], KeyEntry]) -> list[KeyEntry]:
    if len(keys) > MAX_KEYS:  # before the work, which is some 0.5 ms for a key
        raise BoundsError(
            f"a key ring holds at most {MAX_KEYS} keys, not {len(keys)}",
            f"密钥环最多容纳 {MAX_KEYS} 个密钥，实为 {len(keys)} 个",
        )
    entries = []
    for number, key in enumerate(keys):
        try:
            if not isinstance(key, Mapping):
                raise BoundsError("not a map", "不是 map")
            entries.append(read(key))
        except (KeyError, TypeError, ValueError) as error:
            what = Words(f"{error} is missing", f"缺少 {error}") if isinstance(error, KeyError) else words_of(error)
            raise BoundsError(f"key {number} of the set: {what.en}", f"序号 {number} 的密钥：{what.zh}") from error
    return entries


_JWK_MEMBERS = {"kty", "crv", "x", "y", "alg", "kid", "use", "key_ops", "ext", *_COSE_LABELS}


def _entry_from_jwk(sm2_backend: SM2Backend | None, jwk: Mapping[Any, Any]) -> KeyEntry:
    if "d" in jwk:
        raise BoundsError("this is a private key: a key ring holds public keys only", "这是私钥：密钥环只收公钥")
    if unknown := sorted(set(jwk) - _JWK_MEMBERS):
        raise BoundsError(f"unknown members {unknown}", f"未知成员 {unknown}")
    if nulls := sorted(name for name, value in jwk.items() if value is None):
        raise BoundsError(f"null is no value: {nulls}", f"值不得为 null：{nulls}")
    if jwk["kty"] != "EC" or jwk.get("use", "sig") != "sig" or jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise BoundsError(
            'a key has "kty": "EC" and is for verifying signatures', '密钥应为 "kty": "EC"，用途应为验证签名'
        )
    if type(jwk.get("ext", True)) is not bool:  # WebCrypto writes it; for a public key it has no meaning
        raise BoundsError('"ext" is true or false', '"ext" 应为 true 或 false')
    curve = _inverse(_JWK_CURVES, "crv", jwk["crv"])
    algorithm = _inverse(_JWK_ALGORITHMS, "alg", jwk["alg"])
    kid = _kid_from_hex(jwk["kid"]) if "kid" in jwk else None
    x, y = _from_base64url(jwk["x"]), _from_base64url(jwk["y"])
    user_id = _from_base64url(jwk["yb_user_id"]) if "yb_user_id" in jwk else None
    return _entry(_key(curve, algorithm, x, y, user_id, sm2_backend), kid, jwk)


def _entry_from_cose_key(sm2_backend: SM2Backend | None, cose_key: Mapping[Any, Any]) -> KeyEntry:
    names = {label: name for name, label in _COSE_LABELS.items()}
    if unknown := [label for label in cose_key if label not in {KTY, _KID, _ALG, CRV, X, Y, *names}]:
        raise BoundsError(f"unknown labels {unknown}", f"未知标签 {unknown}")
    if cose_key[KTY] != EC2:
        raise BoundsError("a key has kty 2 (EC2)", "密钥的 kty 应为 2（EC2）")
    members = {names[label]: value for label, value in cose_key.items() if label in names}
    x, y, user_id = cose_key[X], cose_key[Y], members.get("yb_user_id")
    if not isinstance(x, bytes) or not isinstance(y, bytes):
        raise BoundsError("coordinates are byte strings", "坐标应为字节串")
    if user_id is not None and not isinstance(user_id, bytes):
        raise BoundsError("a user id is a byte string", "用户标识应为字节串")
    curve, algorithm = _one_of(Curve, "crv", cose_key[CRV]), _one_of(Algorithm, "alg", cose_key[_ALG])
    key = _key(curve, algorithm, x, y, user_id, sm2_backend)
    return _entry(key, cose_key.get(_KID), members)


def _key(
    curve: Curve, algorithm: Algorithm, x: bytes, y: bytes, user_id: bytes | None, sm2_backend: SM2Backend | None
) -> VerifyingKey:
    if algorithm.curve is not curve:
        raise BoundsError(
            f"{algorithm.name} is not an algorithm of {curve.name}", f"{algorithm.name} 不是 {curve.name} 的算法"
        )
    if (len(x), len(y)) != (32, 32):
        raise BoundsError("coordinates are 32 bytes each", "坐标应各为 32 字节")
    if curve is Curve.SM2:
        user_id = DEFAULT_USER_ID if user_id is None else user_id
        return SM2VerifyingKey.from_point(x, y, user_id=user_id, backend=sm2_backend)
    if user_id is not None:
        raise BoundsError("yb_user_id is for SM2 keys", "yb_user_id 仅用于 SM2 密钥")
    return P256VerifyingKey.from_point(x, y, algorithm=algorithm)


def _entry(key: VerifyingKey, kid: bytes | None, members: Mapping[Any, Any]) -> KeyEntry:
    if kid is not None and kid != key.kid:
        raise BoundsError(f"the kid is {key.kid.hex()}, not what is stated", f"kid 为 {key.kid.hex()}，与所声明的不符")
    times = {name: members[name] for name in ("nbf", "exp", "yb_withdrawn_since") if name in members}
    for name, value in times.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise BoundsError(f"{name} is a time in whole seconds since 1970", f"{name} 应为 1970 年起的整秒数")
        if not 0 <= value <= MAX_UINT32:
            hint = Words("; is it in milliseconds?", "；是否为毫秒？") if value > MAX_UINT32 else Words("", "")
            raise BoundsError(
                f"{name} is 0 to 2^32 - 1 seconds since 1970, not {value}{hint.en}",
                f"{name} 应为 1970 年起的秒数，0 至 2^32 - 1，实为 {value}{hint.zh}",
            )
    prefixes, exclusions = members.get("yb_scope", []), members.get("yb_except", [])
    if not isinstance(prefixes, (list, tuple)) or not isinstance(exclusions, (list, tuple)):
        raise BoundsError("yb_scope and yb_except are arrays of prefixes", "yb_scope 与 yb_except 应为前缀数组")
    if not isinstance(issuer := members["yb_issuer"], str):
        raise BoundsError("an issuer's name is a string", "签发机构名称应为字符串")
    return KeyEntry(
        key,
        issuer,
        Scope.from_prefixes(prefixes, exclusions),
        not_before=times.get("nbf", 0),
        not_after=times.get("exp", FOREVER),
        withdrawn_since=times.get("yb_withdrawn_since"),
        use=_one_of(Use, "yb_use", members.get("yb_use", Use.TOKENS.value)),
        status_uri=members.get("yb_status_uri"),
    )


def _members(entry: KeyEntry) -> dict[str, Any]:
    """The members of an entry that are our own, without those that have their default."""
    members = {
        "yb_issuer": entry.issuer,
        "yb_scope": list(entry.scope.prefixes),
        "yb_except": list(entry.scope.exclusions),
        "nbf": entry.not_before,
        "exp": entry.not_after if entry.not_after != FOREVER else 0,
        "yb_withdrawn_since": entry.withdrawn_since,
        "yb_use": "" if entry.use is Use.TOKENS else entry.use.value,
        "yb_status_uri": entry.status_uri,
    }
    if entry.key.algorithm is Algorithm.SM2:
        members["yb_user_id"] = getattr(entry.key, "user_id", DEFAULT_USER_ID)
    return {name: value for name, value in members.items() if value or (name == "yb_withdrawn_since" and value == 0)}


def _jwk(entry: KeyEntry) -> dict[str, Any]:
    x, y = entry.key.point
    members = _members(entry)
    if "yb_user_id" in members:
        members["yb_user_id"] = _to_base64url(members["yb_user_id"])
    return {
        "kty": "EC",
        "crv": _JWK_CURVES[entry.key.algorithm.curve],
        "x": _to_base64url(x),
        "y": _to_base64url(y),
        "alg": _JWK_ALGORITHMS[entry.key.algorithm],
        "kid": entry.kid.hex(),
        **members,
    }


def _cose_key(entry: KeyEntry) -> dict[int, Any]:
    x, y = entry.key.point
    curve = int(entry.key.algorithm.curve)
    key = {KTY: EC2, _KID: entry.kid, _ALG: int(entry.key.algorithm), CRV: curve, X: x, Y: y}
    return key | {_COSE_LABELS[name]: value for name, value in _members(entry).items()}


_KID_HEX = re.compile("[0-9a-f]{16}", re.ASCII)


def _kid_from_hex(text: object) -> bytes:
    if not isinstance(text, str) or not _KID_HEX.fullmatch(text):
        raise BoundsError(f"a kid is 16 of 0-9 a-f, not {text!r}", f"kid 应为 16 位小写十六进制，实为 {text!r}")
    return bytes.fromhex(text)


_Key = TypeVar("_Key")


def _inverse(table: Mapping[_Key, str], member: str, value: object) -> _Key:
    for key, name in table.items():
        if name == value:
            return key
    raise _none_of(f'"{member}"', table.values(), value)


_Kind = TypeVar("_Kind", bound=Enum)


def _one_of(kind: type[_Kind], member: str, value: object) -> _Kind:
    try:
        return kind(value)
    except ValueError:
        raise _none_of(member, (each.value for each in kind), value) from None


def _none_of(member: str, known: Iterable[Any], value: object) -> BoundsError:
    names = sorted(known)
    return BoundsError(f"{member} is one of {names}, not {value!r}", f"{member} 应为 {names} 之一，实为 {value!r}")


def _to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (TypeError, ValueError) as error:  # no string, not ASCII, or `binascii.Error`
        raise BoundsError(f"not base64url: {error}", "不是 base64url") from error
    if _to_base64url(data) != text:
        raise BoundsError(
            "not base64url in its one form (RFC 7515 section 2)", "不是规范形式的 base64url（RFC 7515 第 2 节）"
        )
    return data
