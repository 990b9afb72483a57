"""The life of one voucher, from the issuer to the counter: what ``make demo`` shows.

It is issued, drawn as a QR code, read back from the picture, verified and redeemed; and refused when it is replayed,
altered, forged, late, from the wrong place or badly scanned. Then passes do the same without a network: a rotating
pass, and a device-bound pass that answers a terminal's challenge; they are copied, relayed and frozen. At the end a
key is withdrawn, and an old key ring is refused. Time stands still unless the story moves it. If any outcome differs
from the story, the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import zxingcpp
from PIL import Image

from ybtoken import (
    Issuer,
    KeyEntry,
    KeyRing,
    MemoryReplayGuard,
    Profile,
    Scope,
    SigningKey,
    Token,
    TokenError,
    Verifier,
    VerifyingKey,
    normalize_scan,
)
from ybtoken.identity import IdentitySealer, derive_person_number
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.ring import Use
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey
from ybtoken.passes.challenge import Challenge
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.policy import AcceptedProfiles, InsuredPlace, Purpose
from ybtoken.qr import QrCode
from ybtoken.status.list import StatusListReader
from ybtoken.status.policy import StatusPolicy
from ybtoken.status.registry import StatusRegistry
from ybtoken.status.source import MemoryStatusSource
from ybtoken.trust.changes import changes_between
from ybtoken.trust.file import FileRingSource
from ybtoken.trust.keeper import Keeper
from ybtoken.wire.text import encode_text

ROOT = Path(__file__).resolve().parent.parent
START = int(datetime(2026, 5, 1, 9, 30, tzinfo=timezone(timedelta(hours=8))).timestamp())
HANGZHOU, SHANGHAI = "330100", "310100"
ZHEJIANG, JIANGSU = Scope(("33",)), Scope(("32",))
PHARMACY = "02121"
SIGNERS: dict[str, Callable[[], SigningKey]] = {"sm2": SM2SigningKey.generate, "es256": P256SigningKey.generate}
"""The algorithms with which the demo can run; the first is the default if a libcrypto can sign with it."""
STATUS_URI = "https://status.example/1"
PERSON, PERSON_KEY = "11010519491231002X", b"a key for the demo only"


class SurpriseError(Exception):
    """An outcome differs from the story."""


class Stage:
    """Prints the story, and checks its outcomes."""

    def __init__(self) -> None:
        self._chapter = 0
        self._colour = sys.stdout.isatty()

    def chapter(self, en: str, zh: str) -> None:
        self._chapter += 1
        print(f"\n{self._paint(f'{self._chapter}. {en} / {zh}', '1')}")

    def tell(self, en: str, zh: str) -> None:
        print(f"   {en}\n   {zh}")

    def show(self, name: str, value: object) -> None:
        print(f"     {name:<14} {value}")

    def good(self, en: str, zh: str) -> None:
        print(f"   {self._paint('✓', '32')} {en} / {zh}")

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            raise SurpriseError(what)

    def refused(self, code: str, act: Callable[[], object], en: str, zh: str) -> None:
        """Do something that must be refused, with this code."""
        print(f"   • {en} / {zh}")
        try:
            act()
        except TokenError as error:
            self.must(error.code == code, f"refused as {error.code}, not as {code}")
            print(f"     {self._paint('✗', '31')} step {error.step}  {error.code}")
            print(f"       {error.what.en} {error.remedy.en}")
            print(f"       {error.what.zh}{error.remedy.zh}")
        else:
            raise SurpriseError(f"accepted what must be refused as {code}")

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text


@dataclass
class Clock:
    """The one clock of the story, in seconds since 1970."""

    now: int = START

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """The participants, and what they have made so far."""

    algorithm: str
    folder: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.key = SIGNERS[self.algorithm]()
        self.issuer = Issuer(self.key, scope=ZHEJIANG, clock=self.clock)
        verifying_key = self.key.verifying_key  # type: ignore[attr-defined]  # every software key has one
        self.ring = KeyRing([KeyEntry(verifying_key, "浙江省医保局 (Zhejiang)", ZHEJIANG)])
        self.pharmacy = self.terminal(ZHEJIANG)
        self.sealer = IdentitySealer.for_ring(self.ring, bytes(range(16)), clock=self.clock)

    def terminal(self, accepted: Scope) -> Verifier:
        """A terminal in a pharmacy that serves people insured in these places."""
        return Verifier(
            self.ring,
            guard=MemoryReplayGuard(clock=self.clock),
            policies=[InsuredPlace(accepted), Purpose(PHARMACY)],
            clock=self.clock,
        )

    def voucher(self) -> Token:
        """Another display of the same person's code."""
        return self.issuer.issue(self.sealer.seal(self.person(PERSON)), HANGZHOU, purpose=PHARMACY)

    def person(self, document_number: str) -> int:
        """The platform's number for a person, derived with HMAC-SM3 if the keys are SM2."""
        return derive_person_number(document_number, key=PERSON_KEY, sm2_only=self.ring.sm2_only)


def issue(world: World, stage: Stage) -> Token:
    stage.chapter("The province issues a voucher", "省平台签发凭证")
    stage.tell(
        "A person insured in Hangzhou opens the app at a pharmacy. The province signs a code for this display only.",
        "杭州参保人在药店打开App，省平台为这一次出示签发一个码。",
    )
    token, other = world.voucher(), world.voucher()
    stage.must(token.voucher.identity_ref != other.voucher.identity_ref, "two displays can be linked")
    voucher = token.voucher
    stage.show("algorithm", world.key.algorithm.name)
    stage.show("insured place", f"{voucher.city_code}  参保地")
    stage.show("purpose", f"{voucher.purpose}   pharmacy purchase 药店购药")
    stage.show("identity", f"{voucher.identity_ref.hex()}  sealed anew each time 每次重新加密")
    stage.show("valid", f"{voucher.expires_at - voucher.issued_at} s from {_local(voucher.issued_at)}")
    stage.show("text", f"{token.text[:34]}... ({len(token.data)} bytes, {len(token.text)} digits)")
    stage.good("issued", "已签发")
    return token


def draw(world: World, stage: Stage, token: Token, name: str) -> Path:
    stage.chapter("The phone draws it", "手机出码")
    picture = world.folder / name
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(token.qr.png())
    print(token.qr.terminal())
    stage.good(f"QR version {token.qr.version}-M, also in {_shown(picture)}", "已绘出，图片亦已保存")
    return picture


def scan(world: World, stage: Stage, token: Token, picture: Path) -> str:
    stage.chapter("The scanner reads the picture", "扫码枪读图")
    with Image.open(picture) as image:
        codes = zxingcpp.read_barcodes(image.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
    stage.must(len(codes) == 1, f"{len(codes)} codes found in the picture")
    typed = f"]Q1{codes[0].text}\r\n"  # as a scanner in keyboard mode types it
    text = normalize_scan(typed)
    stage.show("typed", f"{typed[:12]!r} ... {typed[-6:]!r}")
    stage.must(text == token.text, "the picture holds another text")
    stage.good("read by zxing-cpp; what the scanner added is taken away", "已由 zxing-cpp 读出，并去除扫码枪附加的字符")
    return text


def accept(world: World, stage: Stage, text: str) -> None:
    stage.chapter("The pharmacy verifies and redeems it", "药店验证并核销")
    world.clock.now += 8
    voucher = world.pharmacy.verify(text)
    stage.show("issuer", voucher.issuer)
    stage.show("insured place", voucher.city_code)
    stage.show("left", f"{voucher.expires_at - world.clock.now} s")
    stage.good("verified: offline, and any number of times", "验证通过：无需联网，可重复验证")
    redeemed = world.pharmacy.redeem(text)
    stage.must(redeemed.replay_key == voucher.replay_key, "another voucher was redeemed")
    person = world.sealer.open(redeemed.identity_ref, at=redeemed.issued_at)
    stage.must(person == world.person(PERSON.lower()), "another person")
    stage.good("redeemed: once; only the platform can tell whose it is", "已核销：仅此一次；只有平台能识别参保人")


def refuse(world: World, stage: Stage, text: str) -> None:
    stage.chapter("What is refused, and what is said", "被拒绝的情形与提示")
    pharmacy = world.pharmacy
    stage.refused(
        "redeem.replayed", partial(pharmacy.redeem, text), "replayed: the same code again", "重放：同一个码再次出示"
    )

    fresh = world.voucher()
    wrong = str((int(fresh.text[200]) + 1) % 10)
    stage.refused(
        "text.check",
        partial(pharmacy.redeem, fresh.text[:200] + wrong + fresh.text[201:]),
        "altered: one digit; a scan error as like as not, and never called fraud",
        "改动一位数字：多半是误读，绝不报为欺诈",
    )
    stage.refused(
        "text.digits",
        partial(pharmacy.redeem, fresh.text[:99] + "O" + fresh.text[100:]),
        "scan error: an input method at work",
        "扫码误读：输入法干扰",
    )
    stage.refused(
        "text.length", partial(pharmacy.redeem, fresh.text[:152]), "scan error: half of a code", "扫码误读：只读到半截"
    )

    later = bytearray(fresh.data)
    later[fresh.data.index(fresh.voucher.expires_at.to_bytes(4, "big")) + 2] ^= 0x10
    stage.refused(
        "signature.invalid",
        partial(pharmacy.redeem, encode_text(1, bytes(later))),
        "forged: one bit, for a longer life, behind right check digits",
        "伪造：改动一个比特以延长有效期，校验位正确",
    )
    pharmacy.redeem(fresh.text)
    stage.good("none of these used up the true code", "以上均未消耗真码")

    everywhere = Issuer(world.key, clock=world.clock)
    stage.refused(
        "scope.place",
        partial(pharmacy.redeem, everywhere.issue(bytes(16), SHANGHAI, purpose=PHARMACY).text),
        "wrong place: Zhejiang's key signs for Shanghai",
        "地区不符：浙江的密钥签发上海参保地",
    )
    stage.refused(
        "policy.place",
        partial(world.terminal(JIANGSU).redeem, world.voucher().text),
        "wrong place: a terminal that serves Jiangsu only",
        "地区不符：仅受理江苏参保人的终端",
    )

    screenshot = world.voucher()
    world.clock.now += 90
    stage.refused(
        "time.expired",
        partial(pharmacy.redeem, screenshot.text),
        "late: a screenshot, 90 s later",
        "过期：90 秒后出示的截图",
    )


def rotating(world: World, stage: Stage) -> None:
    stage.chapter("Without a network: a rotating pass", "没有网络：动态码凭证")
    stage.tell(
        "The platform signs a pass for twelve hours; the phone adds another one-time code every 30 s, in any basement.",
        "平台签发十二小时的凭证，手机每 30 秒自行更换动态码，地下室也能出码。",
    )
    codes = RotatingCodes(b"a master key for the demo, only.")
    platform = Verifier(world.ring, otp=codes, guard=MemoryReplayGuard(clock=world.clock), clock=world.clock)
    phone = codes.enrol(world.issuer.issue_rotating_pass(world.sealer.seal(world.person(PERSON)), HANGZHOU))
    world.clock.now += 3600 - world.clock.now % 30
    first = phone.present(now=world.clock.now)
    stage.show("text", f"{first[:20]}...{first[-10:-2]}.. (QR version {_in_a_picture(world, first, 'rotating.png')}-M)")
    platform.redeem(first)
    stage.good("an hour later: redeemed at the platform", "一小时后：平台核销成功")
    stage.refused("redeem.replayed", partial(platform.redeem, first), "the same code again", "同一动态码再次出示")
    world.clock.now += 30
    platform.redeem(phone.present(now=world.clock.now))
    stage.good("the next code, 30 s later", "30 秒后的新码：已核销")
    world.clock.now += 60
    stage.refused("otp.wrong", partial(platform.redeem, first), "a screenshot of the first code", "首个动态码的截图")
    stage.refused(
        "claims.profile",
        partial(platform.redeem, encode_text(1, phone.data)),
        "the pass without its code, dressed as a voucher",
        "去掉动态码、冒充平台实时码",
    )


def device_bound(world: World, stage: Stage) -> None:
    stage.chapter("Without a network: a device-bound pass", "没有网络：设备绑定凭证")
    stage.tell(
        "The pass names the phone's own key. The terminal asks, the phone answers, and both may be offline.",
        "凭证绑定手机自己的密钥。终端提问，手机应答，双方均可离线。",
    )
    device, list_key = SIGNERS[world.algorithm](), SIGNERS[world.algorithm]()
    registry = StatusRegistry(":memory:", STATUS_URI, size=4096, clock=world.clock)
    person = world.person(PERSON)
    index = registry.enter(world.clock.now + 12 * 3600, person=person)
    key: VerifyingKey = device.verifying_key  # type: ignore[attr-defined]
    issued = world.issuer.issue_device_bound_pass(world.sealer.seal(person), HANGZHOU, key, status_index=index)
    phone, copied = (DeviceBoundPass(issued.data, signer, clock=world.clock) for signer in (device, SIGNERS["es256"]()))

    list_entry = KeyEntry(list_key.verifying_key, "浙江省医保局 (Zhejiang)", use=Use.STATUS)  # type: ignore[attr-defined]
    statuses = MemoryStatusSource(StatusListReader(KeyRing([list_entry]), STATUS_URI))
    statuses.load(registry.publish(list_key), world.clock.now)
    terminal = Verifier(
        world.ring,
        policies=[AcceptedProfiles(Profile.DEVICE_BOUND), StatusPolicy(statuses)],
        guard=MemoryReplayGuard(clock=world.clock),
        clock=world.clock,
    )

    challenge, elsewhere = Challenge.new("H33010600123", PHARMACY), Challenge.new("H44010000999", PHARMACY)
    stage.show("terminal asks", f"{challenge.text} (QR version {challenge.qr.version}-M)")
    answered = phone.present(challenge=Challenge.from_text(challenge.text))
    version = _in_a_picture(world, answered, "device-bound.png")
    stage.show("phone answers", f"{answered[:34]}... ({len(answered)} digits, QR version {version}-M)")
    terminal.redeem(answered, challenge=challenge)
    stage.good("redeemed, offline: this phone, this terminal, now", "离线核销成功：确为此手机、此终端、此刻")
    stage.refused(
        "device.signature",
        partial(terminal.redeem, copied.present(challenge=challenge), challenge=challenge),
        "the pass was copied to another phone",
        "凭证被复制到另一部手机",
    )
    stage.refused(
        "challenge.wrong",
        partial(terminal.redeem, phone.present(challenge=elsewhere), challenge=challenge),
        "a live relay: the victim answered another terminal",
        "实时转发：受害人应答的是另一终端",
    )
    stage.refused(
        "policy.profile",
        partial(terminal.redeem, world.voucher().text),
        "a plain voucher, where only the phone's signature will do",
        "仅受理手机签名之处出示平台实时码",
    )
    registry.suspend(person=person)
    world.clock.now += 1
    statuses.load(registry.publish(list_key), world.clock.now)
    stage.refused(
        "status.suspended",
        partial(terminal.redeem, phone.present(challenge=challenge), challenge=challenge),
        "the phone was reported lost: frozen, and the terminal has the new list",
        "手机挂失：凭证已冻结，终端已取得新状态列表",
    )
    registry.close()


def withdrawal(world: World, stage: Stage) -> None:
    stage.chapter("A key is withdrawn, and stays so", "密钥停用，且不可逆转")
    stage.tell(
        "The province's signing key leaked an hour ago. A new ring reaches the pharmacy, whose verifier is swapped.",
        "省平台签名密钥一小时前泄露。新密钥环到达药店，验证器随即更换。",
    )
    file, state = world.folder / "ring.jwks", world.folder / "ring.state"
    state.unlink(missing_ok=True)
    file.write_text(dump_jwks(world.ring), encoding="utf-8")
    source, guard = FileRingSource(file, state=state), MemoryReplayGuard(clock=world.clock)
    keeper = Keeper(source, partial(Verifier, guard=guard, clock=world.clock), clock=world.clock)
    keeper.refresh()
    keeper.current().redeem(world.voucher().text)
    stage.good("with the ring of this morning: redeemed", "用今早的密钥环：核销成功")

    newer = world.ring.withdrawn(world.key.kid, since=world.clock.now - 3600)
    for change in changes_between(world.ring, newer):
        stage.show("ring", f"{change.what.en}")
        stage.show("密钥环", f"{change.what.zh}")
    old = file.read_bytes()
    file.write_text(dump_jwks(newer), encoding="utf-8")
    stage.must(keeper.refresh(), "the withdrawal did not arrive")
    stage.refused(
        "scope.withdrawn",
        lambda: keeper.current().redeem(world.voucher().text),
        "the thief signs a code",
        "窃取者签发的码",
    )
    file.write_bytes(old)
    stage.must(not keeper.refresh() and keeper.problem is not None, "the old ring was taken")
    stage.show("refused", source.problem.reason if source.problem else "")
    stage.refused(
        "scope.withdrawn",
        lambda: keeper.current().redeem(world.voucher().text),
        "the old ring comes back from a backup: it is refused, and the key stays withdrawn",
        "旧密钥环从备份中恢复：不予采用，密钥仍为已停用",
    )


def _in_a_picture(world: World, text: str, name: str) -> int:
    """Draw a text, read it back from the picture; returns the symbol's version."""
    code = QrCode(text)
    (world.folder / name).write_bytes(code.png())
    with Image.open(world.folder / name) as image:
        codes = zxingcpp.read_barcodes(image.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
    if [found.text for found in codes] != [text]:
        raise SurpriseError(f"{name} is not read back")
    return code.version


def _shown(file: Path) -> Path:
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def _local(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC) + timedelta(hours=8):%Y-%m-%d %H:%M:%S} +08:00"


def tell(world: World, stage: Stage) -> None:
    """The whole story."""
    print("ybtoken: one voucher, from issue to redeem, and two passes / 一张凭证从签发到核销，另有两种通行凭证")
    token = issue(world, stage)
    picture = draw(world, stage, token, "voucher.png")
    text = scan(world, stage, token, picture)
    accept(world, stage, text)
    refuse(world, stage, text)
    rotating(world, stage)
    device_bound(world, stage)
    withdrawal(world, stage)


def default_algorithm() -> str:
    try:
        SIGNERS["sm2"]()
    except LibcryptoError as reason:
        print(
            f"ES256, for SM2 cannot be signed with here: {reason.en}\n改用 ES256，本机无法进行 SM2 签名：{reason.zh}\n"
        )
        return "es256"
    return "sm2"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--algorithm", choices=SIGNERS, help="sm2 by default where a libcrypto signs with it")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "demo", help="where the picture is written")
    options = parser.parse_args(arguments)
    if isinstance(reconfigure := getattr(sys.stdout, "reconfigure", None), Callable):
        reconfigure(errors="replace")
    try:
        tell(World(options.algorithm or default_algorithm(), options.folder), Stage())
    except (SurpriseError, TokenError) as surprise:
        print(f"\nNOT AS IT SHOULD BE / 与预期不符: {surprise}", file=sys.stderr)
        return 1
    print("\nAll as it should be. / 一切符合预期。")
    return 0


if __name__ == "__main__":
    sys.exit(main())
