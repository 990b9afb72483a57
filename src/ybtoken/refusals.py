"""The table of refusals: every reason for which a token is not accepted, in one place.

`Code` gives each refusal its number, the byte that stands for it in verdict columns. A number is 16 x step + k, where
step is the verification step that refuses (Spec 4), so the number alone says which step that was. `REFUSALS` adds the
words, one row per number: what happened, what the person at the counter does about it, and a hint for the developer.

Codes and numbers are part of the format's contract: rows may be added, never renamed or renumbered. The spec's table of
refusals and the ``expect`` of the test vectors use the same codes; tests compare them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from ybtoken.places import describe_place, describe_scope
from ybtoken.vocabulary import describe_assurance, describe_profiles, describe_purposes
from ybtoken.words import Words

__all__ = ["ACCEPTED", "BY_CODE", "BY_NUMBER", "REFUSALS", "UNDECIDED", "Code", "Refusal"]

ACCEPTED: Final = 0
"""The number of a token that is not refused."""

UNDECIDED: Final = 255
"""The number that an engine writes for a text that it leaves to another engine. No verdict has this number."""


class Code(IntEnum):
    """The number of each refusal: 16 x step + k."""

    TEXT_LENGTH = 17
    TEXT_DIGITS = 18
    TEXT_PREFIX = 19
    TEXT_RANGE = 20
    TEXT_CHECK = 21
    TEXT_BEGINNING = 22
    ENVELOPE_SHAPE = 33
    KEY_UNKNOWN = 49
    KEY_RING_EXPIRED = 50
    KEY_RING_UNAVAILABLE = 51
    SIGNATURE_INVALID = 65
    DEVICE_SIGNATURE = 66
    CLAIMS_SHAPE = 81
    CLAIMS_PROFILE = 82
    TIME_FUTURE = 97
    TIME_EXPIRED = 98
    TIME_LIFETIME = 99
    PRESENTATION_FUTURE = 100
    PRESENTATION_EXPIRED = 101
    OTP_WRONG = 102
    OTP_THROTTLED = 103
    OTP_UNAVAILABLE = 104
    SCOPE_PERIOD = 113
    SCOPE_WITHDRAWN = 114
    SCOPE_PLACE = 115
    POLICY_PLACE = 129
    POLICY_PURPOSE = 130
    POLICY_CHANNEL = 131
    POLICY_ASSURANCE = 132
    POLICY_PRESENTER = 133
    POLICY_AGE = 134
    STATUS_SUSPENDED = 135
    STATUS_INVALID = 136
    STATUS_UNAVAILABLE = 137
    CHALLENGE_MISSING = 138
    CHALLENGE_WRONG = 139
    POLICY_PROFILE = 140
    POLICY_UNAVAILABLE = 141
    REDEEM_REPLAYED = 145
    REDEEM_UNAVAILABLE = 146
    REDEEM_FULL = 147
    REDEEM_CLOCK = 148
    REDEEM_TIMEOUT = 150
    REDEEM_LOADING = 151
    REDEEM_READONLY = 152
    REDEEM_MEMORY = 153
    REDEEM_UNREPLICATED = 154
    REDEEM_RESTARTED = 155
    REDEEM_EVICTING = 156
    REDEEM_PERSISTENCE = 157
    REDEEM_UNCHECKED = 158
    REDEEM_BUSY = 159

    @property
    def step(self) -> int:
        """The verification step (1-9, Spec 4) that refuses."""
        return self >> 4


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason to refuse a token."""

    number: Code
    what: Words
    """What happened; may hold placeholders for the error's facts."""
    remedy: Words
    """What the person at the counter does."""
    hint: Words
    """What the developer looks at."""
    spoken: Mapping[str, Callable[[object], Words]] = field(default_factory=dict, repr=False, compare=False)
    """How facts that are codes are named in `what`: the person at a counter knows places and business by name."""
    cannot_check: bool = False
    """Whether the verifier lacks something that it needs to decide, and nothing is known to be wrong with the token."""
    code: str = field(init=False)
    """The stable name, such as "time.expired"."""
    step: int = field(init=False)
    """The verification step (1-9, Spec 4) that refuses."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", self.number.name.lower().replace("_", ".", 1))
        object.__setattr__(self, "step", self.number.step)

    @property
    def family(self) -> str:
        """The first word of the code, such as "time"."""
        return self.code.partition(".")[0]


_RESCAN = Words(
    "Scan again: brighten the screen, hold the code flat, avoid glare.",
    "请重新扫码：调亮屏幕、放平手机、避开反光。",
)
_READER_HINT = Words(
    "The text was damaged on its way from the screen; check the scanner's mode (USB-COM or HID-POS, no input method) "
    "and pass it through normalize_scan().",
    "码文在传输中受损；请检查扫码枪模式（USB-COM 或 HID-POS，关闭输入法），并先调用 normalize_scan()。",
)
_REFRESH = Words(
    "Refresh the code in the app and scan again; if it persists, ask the insurance office.",
    "请在App内刷新码后重扫；仍不成功请咨询医保经办机构。",
)
_SUPPORT = Words(
    "Do not accept this code. Ask the holder to open the official app anew; if it persists, call support.",
    "请勿受理此码。请参保人重新打开官方App出示；仍不成功请联系技术支持。",
)

_UNSURE = Words("Whether the code was used cannot be checked now.", "暂时无法确认此码是否已使用。")
_OFFLINE = Words(
    "Try again shortly: this side is offline, not the holder's phone.", "请稍后再试：是本机离线，与参保人手机无关。"
)
_OPERATOR = Words(
    "Call support: the store of used codes is set up wrongly. The holder's phone is not the cause.",
    "请联系技术支持：已用码存储的配置有误，与参保人手机无关。",
)

REFUSALS = (
    Refusal(
        Code.TEXT_LENGTH,
        Words("The text has a length no voucher has.", "码文长度不符。"),
        _RESCAN, _READER_HINT,
    ),
    Refusal(
        Code.TEXT_DIGITS,
        Words("The text holds something other than the digits 0-9.", "码文含有数字 0-9 以外的字符。"),
        _RESCAN, _READER_HINT,
    ),
    Refusal(
        Code.TEXT_PREFIX,
        Words(
            "The scan does not begin as a medical-insurance voucher does: its beginning is missing, or it is another code.",
            "扫码内容的开头不是医保电子凭证：扫码不完整，或扫到了其他码。",
        ),
        Words(
            "Scan again; if that does not help, ask for the medical-insurance code: a payment code may have been shown.",
            "请重新扫码；仍不成功请出示医保码：扫到的可能是付款码等其他码。",
        ),
        Words("The first two digits are not 96, 97 or 98.", "前两位不是 96、97 或 98。"),
    ),
    Refusal(
        Code.TEXT_RANGE,
        Words("Some digits were misread.", "码文数字读取有误。"),
        _RESCAN, _READER_HINT,
    ),
    Refusal(
        Code.TEXT_CHECK,
        Words("The check digits do not match.", "校验位不符。"),
        _RESCAN, _READER_HINT,
    ),
    Refusal(
        Code.TEXT_BEGINNING,
        Words(
            "The beginning of the scan is missing or misread: the scanner lost or changed digits.",
            "扫码内容的开头缺失或有误：扫码枪丢失或读错了数字。",
        ),
        Words(
            "Scan again; if it happens again, look at the scanner's settings, its buffer and its cable.",
            "请重新扫码；若再次出现，请检查扫码枪的设置、缓冲区与连接线。",
        ),
        Words(
            "More than 40 digits that do not begin with 95 to 98: no pay code and no bar code of goods is so long.",
            "超过 40 位的数字，且前两位不是 95 至 98：付款码和商品条码都没有这么长。",
        ),
    ),
    Refusal(
        Code.ENVELOPE_SHAPE,
        Words("The code is not built as this system's codes are.", "此码的结构不符合规定。"),
        _SUPPORT,
        Words(
            "The text was read without error, so this was made by other software: compare with Spec 2.2 byte for byte.",
            "码文读取无误，系由其他软件生成：请对照规范 2.2 逐字节核对。",
        ),
    ),
    Refusal(
        Code.KEY_UNKNOWN,
        Words("The issuer's key {kid} is not known here.", "本机没有签发机构的密钥 {kid}。"),
        Words(
            "Try again in a few minutes; if it persists, call support: this terminal's key list may be out of date.",
            "请稍后再试；仍不成功请联系技术支持：本机密钥列表可能过期。",
        ),
        Words(
            "Update the key ring, or the token is from another environment (test against production).",
            "请更新密钥环；也可能是其他环境（如测试环境）的凭证。",
        ),
    ),
    Refusal(
        Code.KEY_RING_EXPIRED,
        Words("The list of issuers' keys on this side ended {late} s ago.", "本机的签发机构密钥列表已过期 {late} 秒。"),
        Words(
            "Call support: this side has not received a new key list. The holder's phone is not the cause.",
            "请联系技术支持：本机未收到新的密钥列表，与参保人手机无关。",
        ),
        Words(
            "The ring ended at {expired_at} by this clock, and its source has brought no newer one: see the source's "
            "problem, the network, the publisher's timestamp, and this machine's clock.",
            "按本机时钟，密钥环已于 {expired_at} 到期且未取得更新：请检查 RingSource 的 problem、网络、发布方的 timestamp "
            "以及本机时钟。",
        ),
        cannot_check=True,
    ),
    Refusal(
        Code.KEY_RING_UNAVAILABLE,
        Words("There is no list of issuers' keys on this side.", "本机没有签发机构密钥列表。"),
        Words(
            "Call support: this side has no key list yet. The holder's phone is not the cause.",
            "请联系技术支持：本机尚无密钥列表，与参保人手机无关。",
        ),
        Words("The source of rings has none: {reason}.", "密钥环来源没有可用的密钥环：{reason}。"),
        cannot_check=True,
    ),
    Refusal(
        Code.SIGNATURE_INVALID,
        Words("The signature is not good: the voucher was altered or forged.", "签名无效：凭证被篡改或伪造。"),
        _SUPPORT,
        Words(
            "Compare the algorithm, the public key and the SM2 user id with the issuer's; `ybtoken diagnose` tries what "
            "signers do otherwise (DER, no ZA, another user id, hashed beforehand) and names it.",
            "请与签发机构核对算法、公钥及 SM2 用户标识；可用 ybtoken diagnose 逐一尝试常见差异"
            "（DER、缺 ZA、标识不同、预先摘要）并指出原因。",
        ),
    ),
    Refusal(
        Code.DEVICE_SIGNATURE,
        Words("The phone's signature is not good: the code was made by another phone, or altered.", "手机签名无效：此码由其他手机生成或被篡改。"),
        _SUPPORT,
        Words(
            "The pass is the issuer's, but the display was not signed with the key in its cnf claim: a copied pass.",
            "通行凭证确由签发机构签发，但出示未用凭证要素 cnf 中的密钥签名：凭证被复制。",
        ),
    ),
    Refusal(
        Code.CLAIMS_SHAPE,
        Words("The code holds something that this system does not know.", "此码的内容不符合规定。"),
        _SUPPORT,
        Words(
            "The issuer signed claims that this format does not have, or in another encoding: see Spec 2.3.",
            "签发机构签署了本格式没有的内容或采用了其他编码：见规范 2.3。",
        ),
    ),
    Refusal(
        Code.CLAIMS_PROFILE,
        Words("The code is of another kind than the issuer signed.", "此码的类型与签发的类型不一致。"),
        _SUPPORT,
        Words("The prefix (96, 97, 98) must be that of the signed profile (1, 2, 3).", "前缀（96、97、98）须与已签名的类型（1、2、3）对应。"),
    ),
    Refusal(
        Code.TIME_FUTURE,
        Words(
            "The code was issued {ahead} s in the future by this terminal's clock.",
            "此码的签发时间比本机时钟晚 {ahead} 秒。",
        ),
        Words("Correct this terminal's date and time, then scan again.", "请校准本机日期和时间后重扫。"),
        Words("iat > now + skew: synchronise the verifier's clock (NTP), then the issuer's.", "iat > now + skew：请先校准验证方时钟（NTP），再查签发机构时钟。"),
    ),
    Refusal(
        Code.TIME_EXPIRED,
        Words("The code expired {late} s ago.", "此码已过期 {late} 秒。"),
        Words(
            "Refresh the code in the app and scan again; screenshots and photographs are not accepted.",
            "请在App内刷新码后重扫；截图和照片无效。",
        ),
        Words("now >= exp + skew. If fresh codes expire, compare the clocks.", "now >= exp + skew。若新码也过期，请核对两端时钟。"),
    ),
    Refusal(
        Code.TIME_LIFETIME,
        Words("The code is valid for {lifetime} s, longer than is allowed here.", "此码有效期 {lifetime} 秒，超过本机允许的上限。"),
        _SUPPORT,
        Words("exp - iat exceeds the verifier's max_lifetime.", "exp - iat 超过验证方的 max_lifetime。"),
    ),
    Refusal(
        Code.PRESENTATION_FUTURE,
        Words("The code was shown {ahead} s in the future by this terminal's clock.", "此码的出示时间比本机时钟晚 {ahead} 秒。"),
        Words(
            "Compare the date and time of this terminal and of the phone, correct them, then scan again.",
            "请核对并校准本机与手机的日期和时间后重扫。",
        ),
        Words("The phone's iat > now + skew: one of the two clocks is wrong.", "手机的 iat > now + skew：两端时钟之一不准。"),
    ),
    Refusal(
        Code.PRESENTATION_EXPIRED,
        Words("The code was shown {late} s too long ago.", "此码的出示时间已超限 {late} 秒。"),
        Words(
            "Show the code again in the app; if it persists, set the phone's date and time to automatic.",
            "请在App内重新出示；仍不成功请将手机日期和时间设为自动。",
        ),
        Words("now >= the phone's iat + max_display_age + skew: a recorded code, or a slow clock.", "now >= 手机的 iat + max_display_age + skew：录存的码，或手机时钟偏慢。"),
    ),
    Refusal(
        Code.OTP_WRONG,
        Words("The code is not the one that this pass shows now.", "此码不是该凭证当前应显示的动态码。"),
        Words(
            "Wait for the next code and scan it at once; if it persists, set the phone's date and time to automatic.",
            "请等待下一个动态码并立即扫码；仍不成功请将手机日期和时间设为自动。",
        ),
        Words(
            "Compared with the steps {first_step} to {last_step} of 30 s at {now}, by the verifier's clock; the next begins in {next_in} s. "
            "If the code is accepted then, the phone's clock is ahead; else it is an old display, a copied pass without its secret, or another master key.",
            "按验证方时钟 {now}，已与第 {first_step} 至 {last_step} 个 30 秒时段的动态码比对，{next_in} 秒后进入下一时段。"
            "若届时此码可用，说明手机时钟偏快；否则为过期出示、缺少密钥的复制凭证，或主密钥不同。",
        ),
    ),
    Refusal(
        Code.OTP_THROTTLED,
        Words("Too many wrong codes of this pass were tried.", "动态码输错次数过多。"),
        Words("Wait for half a minute, then scan the code that is shown then.", "请等待半分钟后扫描届时显示的码。"),
        Words("{wrong} wrong codes of one pass were compared with each code that is good now, or wrong codes of it were tried at too many times; other passes are not affected, and the next step begins in {next_in} s.", "当前有效的每个动态码均已与 {wrong} 个错误码比对，或该凭证输错的时段过多；不影响其他凭证，{next_in} 秒后更换动态码。"),
    ),
    Refusal(
        Code.OTP_UNAVAILABLE,
        Words("One-time codes cannot be checked here.", "此处无法校验动态码。"),
        Words("Send this code to the platform to be verified, or show another kind of code.", "请将此码提交平台验证，或改用其他类型的码。"),
        Words("{reason}. Rotating passes are verified where the master key is.", "{reason}。动态码凭证只能在持有主密钥处验证。"),
        cannot_check=True,
    ),
    Refusal(
        Code.SCOPE_PERIOD,
        Words("The issuer's key {kid} was not in force when this was signed.", "签发时密钥 {kid} 不在有效期内。"),
        _REFRESH,
        Words("iat is outside the key's not_before .. not_after.", "iat 不在密钥的 not_before 至 not_after 之间。"),
    ),
    Refusal(
        Code.SCOPE_WITHDRAWN,
        Words("The issuer's key {kid} was withdrawn before this was signed.", "签发此码的密钥 {kid} 已停用。"),
        _REFRESH,
        Words("iat is at or after the key's withdrawn_since: the key is held to be compromised.", "iat 不早于密钥的 withdrawn_since：该密钥已视为泄露。"),
    ),
    Refusal(
        Code.SCOPE_PLACE,
        Words(
            "The insured place {city_code} is not one that issuer {issuer} ({scope}) may issue for.",
            "参保地 {city_code} 不在签发机构 {issuer}（{scope}）的签发范围内。",
        ),
        Words(
            "Switch to the right insured place in the app and show the code again; else ask the insurance office.",
            "请在App内切换到正确的参保地后重新出示；否则请咨询医保经办机构。",
        ),
        Words("The key entry's scope does not cover the signed city code.", "密钥条目的签发范围不含已签名的参保地代码。"),
        spoken={"city_code": describe_place, "scope": describe_scope},
    ),
    Refusal(
        Code.POLICY_PLACE,
        Words("The insured place {city_code} is not accepted here ({accepted}).", "参保地 {city_code} 不在本机受理范围（{accepted}）。"),
        Words(
            "Switch the insured place in the app and show the code again, or settle as care away from home (异地就医).",
            "请在App内切换参保地后重新出示，或按异地就医办理。",
        ),
        Words("The InsuredPlace policy does not cover the city code.", "InsuredPlace 策略不含该参保地代码。"),
        spoken={"city_code": describe_place, "accepted": describe_scope},
    ),
    Refusal(
        Code.POLICY_PURPOSE,
        Words("The code was shown for another business ({found}, here {accepted}).", "此码用于其他业务（{found}，本机为 {accepted}）。"),
        Words("Open the code for this business in the app and show it again.", "请在App内选择对应业务后重新出示。"),
        Words("The Purpose policy does not accept the signed purpose.", "Purpose 策略不接受已签名的用码业务类型。"),
        spoken={"found": describe_purposes, "accepted": describe_purposes},
    ),
    Refusal(
        Code.POLICY_CHANNEL,
        Words("The code comes from a channel that is not accepted here ({found}).", "本机不受理该渠道（{found}）的码。"),
        Words("Show the code in another authorised app.", "请改用其他已授权的App出示。"),
        Words("The Channel policy does not accept the signed channel.", "Channel 策略不接受已签名的渠道。"),
    ),
    Refusal(
        Code.POLICY_ASSURANCE,
        Words("The holder was not authenticated strongly enough ({found}; at least {accepted} is needed).", "参保人身份核验等级不足（{found}，至少需要{accepted}）。"),
        Words("Pass the face check in the app and show the code again.", "请在App内完成人脸核验后重新出示。"),
        Words("The signed assurance is below the MinimumAssurance policy.", "已签名的核验等级低于 MinimumAssurance 策略。"),
        spoken={"found": describe_assurance, "accepted": describe_assurance},
    ),
    Refusal(
        Code.POLICY_PRESENTER,
        Words("The person who shows the code may not do so for the holder here.", "出示人无权在此代他人用码。"),
        Words("Check the family account (亲情账户) in the national app.", "请在国家医保服务平台App核对亲情账户。"),
        Words("The FamilyAccount or HolderOnly policy does not accept the signed presenter.", "FamilyAccount 或 HolderOnly 策略不接受已签名的出示人。"),
    ),
    Refusal(
        Code.POLICY_AGE,
        Words("The code is {age} s old, {accepted} s are allowed here.", "此码已签发 {age} 秒，本机只允许 {accepted} 秒。"),
        Words("Refresh the code in the app and scan again.", "请在App内刷新码后重扫。"),
        Words("now - iat exceeds the MaximumAge policy.", "now - iat 超过 MaximumAge 策略。"),
    ),
    Refusal(
        Code.STATUS_SUSPENDED,
        Words("The voucher is suspended (frozen).", "凭证已冻结（状态异常）。"),
        Words("Unfreeze it in the app, or ask the insurance office.", "请在App内解除冻结，或咨询医保经办机构。"),
        Words("The status list says 2 (suspended) for this index.", "状态列表中该序号为 2（冻结）。"),
    ),
    Refusal(
        Code.STATUS_INVALID,
        Words("The voucher was revoked or unbound.", "凭证已撤销或解绑。"),
        Words("Activate the voucher again in an authorised app.", "请在已授权的App内重新激活凭证。"),
        Words("The status list says 1 (invalid) for this index.", "状态列表中该序号为 1（无效）。"),
    ),
    Refusal(
        Code.STATUS_UNAVAILABLE,
        Words("The status of the voucher cannot be checked now.", "暂时无法查询凭证状态。"),
        _OFFLINE,
        Words("The status list is missing, stale or unreadable; refresh the StatusSource.", "状态列表缺失、过期或不可读；请刷新 StatusSource。"),
        cannot_check=True,
    ),
    Refusal(
        Code.CHALLENGE_MISSING,
        Words("The code was not made for this terminal.", "此码不是为本终端生成的。"),
        Words("Scan this terminal's code with the app first, then show the new code.", "请先用App扫描本终端的码，再出示新码。"),
        Words("A challenge was given and the code has no answer: no device-bound pass, or one shown without it.", "已下发挑战但码中无应答：不是设备绑定凭证，或出示时未应答。"),
    ),
    Refusal(
        Code.CHALLENGE_WRONG,
        Words("The code was made for another terminal: it may have been relayed.", "此码不是为本终端生成的，而是为其他终端生成：可能被转发盗用。"),
        Words("Do not accept this code. Scan this terminal's code with the app, then show the new code.", "请勿受理此码。请用App扫描本终端的码后出示新码。"),
        Words("The signed answer is not that of the challenge that was given, or none was given.", "已签名的应答与所下发的挑战不符，或未下发挑战。"),
    ),
    Refusal(
        Code.POLICY_PROFILE,
        Words("This kind of code ({found}) is not accepted here ({accepted}).", "本机不受理此类码（{found}，受理 {accepted}）。"),
        Words("Show another kind of code in the app.", "请在App内改用其他类型的码。"),
        Words("The AcceptedProfiles policy does not include the signed profile.", "AcceptedProfiles 策略不含已签名的类型。"),
        spoken={"found": describe_profiles, "accepted": describe_profiles},
    ),
    Refusal(
        Code.POLICY_UNAVAILABLE,
        Words("Whether this code is accepted here cannot be checked now.", "暂时无法核对本机是否受理此码。"),
        Words("Refresh the code in the app and scan again; if it persists, call support.", "请在App内刷新码后重扫；仍不成功请联系技术支持。"),
        Words("{reason}. A policy needs something that is missing here.", "{reason}。策略所需的信息在此处缺失。"),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_REPLAYED,
        Words("The code was used already.", "此码已被使用。"),
        Words("Refresh the code in the app and scan again; each display is good for one use.", "请在App内刷新码后重扫；每次出示的码仅可使用一次。"),
        Words("The replay guard holds this replay key: a second redeem of the same token.", "防重放组件中已有该键：同一凭证被再次核销。"),
    ),
    Refusal(
        Code.REDEEM_UNAVAILABLE,
        _UNSURE,
        _OFFLINE,
        Words("The replay guard's store did not answer in time: {reason}", "已用码存储未及时应答：{reason}"),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_FULL,
        Words("This terminal holds as many used codes as it can.", "本机的已用码记录已满。"),
        Words("Try again in a minute; if it persists, call support.", "请一分钟后再试；仍不成功请联系技术支持。"),
        Words("The guard is at its capacity of {capacity} live claims; it refuses rather than forgets.", "防重放组件记录已达上限 {capacity} 条；宁可拒绝，不可遗忘。"),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_CLOCK,
        Words("The code is past by the clock of the replay guard.", "按已用码存储的时钟，此码已过期。"),
        Words("Correct this terminal's date and time, then scan again.", "请校准本机日期和时间后重扫。"),
        Words(
            "The code was claimed {ahead} s after its end by the guard's clock: give guard and verifier one clock, and "
            "redeem at once what was verified.",
            "按防重放组件的时钟，核销晚于此码有效期 {ahead} 秒：防重放组件与验证请用同一时钟，并在验证后立即核销。",
        ),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_TIMEOUT, _UNSURE,
        _OFFLINE,
        Words("The store did not answer within the deadline.", "存储未在期限内应答。"),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_LOADING, _UNSURE,
        _OFFLINE,
        Words("The store is starting and still loading its data.", "存储正在启动并加载数据。"),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_READONLY, _UNSURE,
        _OFFLINE,
        Words("The store is a read-only replica: connect to the primary.", "存储是只读副本：请连接主节点。"),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_MEMORY, _UNSURE,
        _OFFLINE,
        Words("The store is out of memory: raise maxmemory, and keep the policy noeviction.", "存储内存不足：请调高 maxmemory，并保持 noeviction 策略。"),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_UNREPLICATED, _UNSURE,
        _OFFLINE,
        Words("{acknowledged} of {wanted} replicas confirmed the claim in time.", "{wanted} 个副本中仅 {acknowledged} 个及时确认。"),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_RESTARTED,
        Words(
            "The record of used codes was lost after this code was issued. Codes issued {retry_after} s from now are "
            "accepted again.",
            "此码签发后，已用码记录曾丢失；{retry_after} 秒后签发的码可正常受理。",
        ),
        Words(
            "Wait for as long as stated, then refresh the code in the app and scan again.",
            "请等待上述时间，再在App内刷新码后重扫。",
        ),
        Words(
            "The store remembers claims since {begun} only; codes issued up to 2 x skew after that time are refused.",
            "存储自 {begun} 起才有记录；此后两倍 skew 时间内签发的码一律拒绝。",
        ),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_EVICTING, _UNSURE, _OPERATOR,
        Words(
            "The store may evict claims (maxmemory-policy {policy}): set noeviction, or use a store of its own.",
            "存储可能淘汰记录（maxmemory-policy {policy}）：请设为 noeviction，或使用独立的存储。",
        ),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_PERSISTENCE, _UNSURE, _OPERATOR,
        Words(
            "To trust its persistence, the store needs appendonly yes and appendfsync always: {found}.",
            'on_restart="trust" 要求 appendonly yes 且 appendfsync always；存储现为：{found}。',
        ),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_UNCHECKED, _UNSURE, _OPERATOR,
        Words(
            "The store does not say whether it keeps claims ({reason}): allow the guard's user INFO and its commands, or "
            'vouch for the store with on_unchecked="trust".',
            '存储未说明能否保住记录（{reason}）：请允许防重放组件所用账号执行 INFO 等命令，或以 on_unchecked="trust" 自行担保。',
        ),
        cannot_check=True,
    ),
    Refusal(
        Code.REDEEM_BUSY,
        Words(
            "Too many codes are being redeemed at this moment. This code was not looked at, and stays good.",
            "当前核销请求过多；此码未作处理，仍然有效。",
        ),
        Words("Wait a few seconds and scan again.", "请稍候几秒后重扫。"),
        Words(
            "The batcher's queue is full ({waiting} waiting), or it was closed: add processes, or look at why the store is slow.",
            "批处理队列已满（{waiting} 个等待中）或已关闭：请增加进程，或检查存储为何变慢。",
        ),
        cannot_check=True,
    ),
)  # fmt: skip

BY_CODE: Mapping[str, Refusal] = MappingProxyType({refusal.code: refusal for refusal in REFUSALS})
BY_NUMBER: Mapping[int, Refusal] = MappingProxyType({refusal.number: refusal for refusal in REFUSALS})
