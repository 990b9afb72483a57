"""The table of refusals: every reason for which a token is not accepted, in one place.

Each row has a stable ``code``, a stable number (one byte: what verdict columns hold), the verification step at
which it arises (Spec 4), what happened, what the person at the counter does about it, and a hint for the developer.
Codes and numbers are part of the format's contract: rows may be added, never renamed or renumbered.
The spec's error table and the vectors' ``expect`` use the same words; tests compare them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ybtoken.words import Words

__all__ = ["ACCEPTED", "BY_CODE", "BY_NUMBER", "REFUSALS", "Refusal"]

ACCEPTED = 0
"""The number of a token that is not refused."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason to refuse a token."""

    number: int
    code: str
    step: int
    what: Words
    """What happened; may hold placeholders for the error's facts."""
    remedy: Words
    """What the person at the counter does."""
    hint: Words
    """What the developer looks at."""


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

REFUSALS = (
    Refusal(
        17, "text.length", 1,
        Words("The text has a length no voucher has.", "码文长度不符。"),
        _RESCAN, _READER_HINT,
    ),
    Refusal(
        18, "text.digits", 1,
        Words("The text holds something other than the digits 0-9.", "码文含有数字 0-9 以外的字符。"),
        _RESCAN, _READER_HINT,
    ),
    Refusal(
        19, "text.prefix", 1,
        Words("This is not a medical-insurance voucher.", "这不是医保电子凭证。"),
        Words(
            "Ask for the medical-insurance code: a payment or health code was shown, or the scan is incomplete.",
            "请出示医保码：扫到的可能是付款码等其他码，或扫码不完整。",
        ),
        Words("The first two digits are not 96, 97 or 98.", "前两位不是 96、97 或 98。"),
    ),
    Refusal(
        20, "text.range", 1,
        Words("A group of digits is out of range.", "码文分组超出取值范围。"),
        _RESCAN, _READER_HINT,
    ),
    Refusal(
        21, "text.check", 1,
        Words("The check digits do not match.", "校验位不符。"),
        _RESCAN, _READER_HINT,
    ),
    Refusal(
        33, "envelope.shape", 2,
        Words("The token is not built as format 1 says.", "凭证的封装结构不符合格式 1。"),
        _SUPPORT,
        Words(
            "The text was read without error, so this was made by other software: compare with Spec 2.2 byte for byte.",
            "码文读取无误，系由其他软件生成：请对照规范 2.2 逐字节核对。",
        ),
    ),
    Refusal(
        49, "key.unknown", 3,
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
        65, "signature.invalid", 4,
        Words("The signature is not good: the voucher was altered or forged.", "签名无效：凭证被篡改或伪造。"),
        _SUPPORT,
        Words(
            "Compare the algorithm, the public key and the SM2 user id with the issuer's.",
            "请与签发方核对算法、公钥及 SM2 用户标识。",
        ),
    ),
    Refusal(
        66, "device.signature", 4,
        Words("The phone's signature is not good: the code was made by another phone, or altered.", "手机签名无效：此码由其他手机生成或被篡改。"),
        _SUPPORT,
        Words(
            "The pass is the issuer's, but the display was not signed with the key in its cnf claim: a copied pass.",
            "通行凭证确由签发方签发，但展示未用其 cnf 声明中的密钥签名：凭证被复制。",
        ),
    ),
    Refusal(
        81, "claims.shape", 5,
        Words("The signed content is not what format 1 allows.", "已签名的内容不符合格式 1。"),
        _SUPPORT,
        Words(
            "The issuer signed claims that this format does not have, or in another encoding: see Spec 2.3.",
            "签发方签署了本格式没有的内容或采用了其他编码：见规范 2.3。",
        ),
    ),
    Refusal(
        82, "claims.profile", 5,
        Words("The text claims another profile than was signed.", "码文前缀与已签名的类型不一致。"),
        _SUPPORT,
        Words("The prefix (96, 97, 98) must be that of the signed profile (1, 2, 3).", "前缀（96、97、98）须与已签名的类型（1、2、3）对应。"),
    ),
    Refusal(
        97, "time.future", 6,
        Words(
            "The code was issued {ahead} s in the future by this terminal's clock.",
            "按本机时钟，此码的签发时间在未来 {ahead} 秒。",
        ),
        Words("Correct this terminal's date and time, then scan again.", "请校准本机日期和时间后重扫。"),
        Words("iat > now + skew: synchronise the verifier's clock (NTP), then the issuer's.", "iat > now + skew：请先校准验证方时钟（NTP），再查签发方时钟。"),
    ),
    Refusal(
        98, "time.expired", 6,
        Words("The code expired {late} s ago.", "此码已过期 {late} 秒。"),
        Words(
            "Refresh the code in the app and scan again; screenshots and photographs are not accepted.",
            "请在App内刷新码后重扫；截图和照片无效。",
        ),
        Words("now >= exp + skew. If fresh codes expire, compare the clocks.", "now >= exp + skew。若新码也过期，请核对两端时钟。"),
    ),
    Refusal(
        99, "time.lifetime", 6,
        Words("The code is valid for {lifetime} s, longer than is allowed here.", "此码有效期 {lifetime} 秒，超过本机允许的上限。"),
        _SUPPORT,
        Words("exp - iat exceeds the verifier's max_lifetime.", "exp - iat 超过验证方的 max_lifetime。"),
    ),
    Refusal(
        100, "presentation.future", 6,
        Words("The code was shown {ahead} s in the future by this terminal's clock.", "按本机时钟，此码的展示时间在未来 {ahead} 秒。"),
        Words(
            "Compare the date and time of this terminal and of the phone, correct them, then scan again.",
            "请核对并校准本机与手机的日期和时间后重扫。",
        ),
        Words("The phone's iat > now + skew: one of the two clocks is wrong.", "手机的 iat > now + skew：两端时钟之一不准。"),
    ),
    Refusal(
        101, "presentation.expired", 6,
        Words("The code was shown {late} s too long ago.", "此码的展示时间已超限 {late} 秒。"),
        Words(
            "Show the code again in the app; if it persists, set the phone's date and time to automatic.",
            "请在App内重新出示；仍不成功请将手机日期和时间设为自动。",
        ),
        Words("now >= the phone's iat + max_display_age + skew: a recorded code, or a slow clock.", "now >= 手机的 iat + max_display_age + skew：录存的码，或手机时钟偏慢。"),
    ),
    Refusal(
        102, "otp.wrong", 6,
        Words("The code is not the one that this pass shows now.", "此码不是该凭证当前应显示的动态码。"),
        Words(
            "Wait for the next code and scan it at once; if it persists, set the phone's date and time to automatic.",
            "请等待下一个动态码并立即扫码；仍不成功请将手机日期和时间设为自动。",
        ),
        Words(
            "An old display, a copied pass without its secret, a phone's clock that is off, or another master key.",
            "过期展示、缺少密钥的复制凭证、手机时钟不准，或主密钥不同。",
        ),
    ),
    Refusal(
        103, "otp.throttled", 6,
        Words("Too many wrong codes of this pass were tried.", "该凭证的错误动态码尝试过多。"),
        Words("Wait for half a minute, then scan the code that is shown then.", "请等待半分钟后扫描届时显示的码。"),
        Words("{wrong} wrong codes of one pass within a step of 30 s; other passes are not touched.", "30 秒内同一凭证已有 {wrong} 个错误动态码；不影响其他凭证。"),
    ),
    Refusal(
        104, "otp.unavailable", 6,
        Words("One-time codes cannot be checked here.", "此处无法校验动态码。"),
        Words("Send this code to the platform to be verified, or show another kind of code.", "请将此码送平台验证，或改用其他类型的码。"),
        Words("{reason}: rotating passes are verified where the master key is.", "{reason}：轮换凭证只能在持有主密钥处验证。"),
    ),
    Refusal(
        113, "scope.period", 7,
        Words("The issuer's key {kid} was not in force when this was signed.", "签发时密钥 {kid} 不在有效期内。"),
        _REFRESH,
        Words("iat is outside the key's not_before .. not_after.", "iat 不在密钥的 not_before 至 not_after 之间。"),
    ),
    Refusal(
        114, "scope.withdrawn", 7,
        Words("The issuer's key {kid} was withdrawn before this was signed.", "签发此码的密钥 {kid} 已被撤回。"),
        _REFRESH,
        Words("iat is at or after the key's withdrawn_since: the key is held to be compromised.", "iat 不早于密钥的 withdrawn_since：该密钥已视为泄露。"),
    ),
    Refusal(
        115, "scope.place", 7,
        Words(
            "The insured place {city_code} is not one that issuer {issuer} ({scope}) may issue for.",
            "参保地 {city_code} 不在签发机构 {issuer}（{scope}）的签发范围内。",
        ),
        Words(
            "Switch to the right insured place in the app and show the code again; else ask the insurance office.",
            "请在App内切换到正确的参保地后重新出示；否则请咨询医保经办机构。",
        ),
        Words("The key entry's scope does not cover the signed city code.", "密钥条目的范围不含已签名的城市代码。"),
    ),
    Refusal(
        129, "policy.place", 8,
        Words("The insured place {city_code} is not accepted here ({accepted}).", "参保地 {city_code} 不在本机受理范围（{accepted}）。"),
        Words(
            "Switch the insured place in the app and show the code again, or settle as care away from home (异地就医).",
            "请在App内切换参保地后重新出示，或按异地就医办理。",
        ),
        Words("The InsuredPlace policy does not cover the city code.", "InsuredPlace 策略不含该城市代码。"),
    ),
    Refusal(
        130, "policy.purpose", 8,
        Words("The code was shown for another business ({found}, here {accepted}).", "此码用于其他业务（{found}，本机为 {accepted}）。"),
        Words("Open the code for this business in the app and show it again.", "请在App内选择对应业务后重新出示。"),
        Words("The Purpose policy does not accept the signed purpose.", "Purpose 策略不接受已签名的用码业务类型。"),
    ),
    Refusal(
        131, "policy.channel", 8,
        Words("The code comes from a channel that is not accepted here ({found}).", "本机不受理该渠道（{found}）的码。"),
        Words("Show the code in another authorised app.", "请改用其他已授权的App出示。"),
        Words("The Channel policy does not accept the signed channel.", "Channel 策略不接受已签名的渠道。"),
    ),
    Refusal(
        132, "policy.assurance", 8,
        Words("The holder was not authenticated strongly enough ({found}, {accepted} needed).", "持码人身份核验强度不足（{found}，需要 {accepted}）。"),
        Words("Pass the face check in the app and show the code again.", "请在App内完成人脸核验后重新出示。"),
        Words("The signed assurance is below the MinimumAssurance policy.", "已签名的核验级别低于 MinimumAssurance 策略。"),
    ),
    Refusal(
        133, "policy.presenter", 8,
        Words("The person who shows the code may not do so for the holder here.", "出示人不得在此代持码人使用。"),
        Words("Check the family account (亲情账户) in the national app.", "请在国家医保服务平台App核对亲情账户。"),
        Words("The Presenter policy does not accept the signed presenter.", "Presenter 策略不接受已签名的出示人。"),
    ),
    Refusal(
        134, "policy.age", 8,
        Words("The code is {age} s old, {accepted} s are allowed here.", "此码已签发 {age} 秒，本机只允许 {accepted} 秒。"),
        Words("Refresh the code in the app and scan again.", "请在App内刷新码后重扫。"),
        Words("now - iat exceeds the MaximumAge policy.", "now - iat 超过 MaximumAge 策略。"),
    ),
    Refusal(
        135, "status.suspended", 8,
        Words("The voucher is suspended (frozen).", "凭证已冻结（状态异常）。"),
        Words("Unfreeze it in the app, or ask the insurance office.", "请在App内解除冻结，或咨询医保经办机构。"),
        Words("The status list says 2 (suspended) for this index.", "状态列表中该序号为 2（暂停）。"),
    ),
    Refusal(
        136, "status.invalid", 8,
        Words("The voucher was revoked or unbound.", "凭证已撤销或解绑。"),
        Words("Activate the voucher again in an authorised app.", "请在已授权的App内重新激活凭证。"),
        Words("The status list says 1 (invalid) for this index.", "状态列表中该序号为 1（无效）。"),
    ),
    Refusal(
        137, "status.unavailable", 8,
        Words("The status of the voucher cannot be checked now.", "暂时无法查询凭证状态。"),
        _OFFLINE,
        Words("The status list is missing, stale or unreadable; refresh the StatusSource.", "状态列表缺失、过期或不可读；请刷新 StatusSource。"),
    ),
    Refusal(
        138, "challenge.missing", 8,
        Words("The code does not answer this terminal's challenge.", "此码未应答本终端的挑战。"),
        Words("Scan this terminal's code with the app first, then show the new code.", "请先用App扫描本终端的码，再出示新码。"),
        Words("A challenge was given and the code has no answer: no device-bound pass, or one shown without it.", "已下发挑战但码中无应答：不是设备绑定凭证，或展示时未应答。"),
    ),
    Refusal(
        139, "challenge.wrong", 8,
        Words("The code answers another terminal's challenge: it may have been relayed.", "此码应答的是其他终端的挑战：可能被转发盗用。"),
        Words("Do not accept this code. Scan this terminal's code with the app, then show the new code.", "请勿受理此码。请用App扫描本终端的码后出示新码。"),
        Words("The signed answer is not that of the challenge that was given, or none was given.", "已签名的应答与所下发的挑战不符，或未下发挑战。"),
    ),
    Refusal(
        140, "policy.profile", 8,
        Words("This kind of code ({found}) is not accepted here ({accepted}).", "本机不受理此类码（{found}，受理 {accepted}）。"),
        Words("Show another kind of code in the app.", "请在App内改用其他类型的码。"),
        Words("The AcceptedProfiles policy does not include the signed profile.", "AcceptedProfiles 策略不含已签名的类型。"),
    ),
    Refusal(
        145, "redeem.replayed", 9,
        Words("The code was used already.", "此码已被使用。"),
        Words("Refresh the code in the app and scan again; each display is good for one use.", "请在App内刷新码后重扫；每次展示的码仅可使用一次。"),
        Words("The replay guard holds this replay key: a second redeem of the same token.", "重放防护中已有该键：同一凭证被再次核销。"),
    ),
    Refusal(
        146, "redeem.unavailable", 9,
        _UNSURE,
        _OFFLINE,
        Words("The replay guard's store did not answer in time: {reason}", "重放防护的存储未及时应答：{reason}"),
    ),
    Refusal(
        147, "redeem.full", 9,
        Words("This terminal holds as many used codes as it can.", "本机的已用码记录已满。"),
        Words("Try again in a minute; if it persists, call support.", "请一分钟后再试；仍不成功请联系技术支持。"),
        Words("The guard is at its capacity of {capacity} live claims; it refuses rather than forgets.", "防护记录已达上限 {capacity} 条；宁可拒绝，不可遗忘。"),
    ),
    Refusal(
        148, "redeem.clock", 9,
        Words("The code is past by the clock of the replay guard.", "按重放防护的时钟，此码已过时。"),
        Words("Correct this terminal's date and time, then scan again.", "请校准本机日期和时间后重扫。"),
        Words("The guard's clock runs ahead of the verifier's by {ahead} s or more: give both one clock.", "防护时钟比验证时钟快 {ahead} 秒以上：两者请用同一时钟。"),
    ),
    Refusal(
        150, "redeem.timeout", 9, _UNSURE,
        _OFFLINE,
        Words("The store did not answer within the deadline.", "存储未在期限内应答。"),
    ),
    Refusal(
        151, "redeem.loading", 9, _UNSURE,
        _OFFLINE,
        Words("The store is starting and still loading its data.", "存储正在启动并加载数据。"),
    ),
    Refusal(
        152, "redeem.readonly", 9, _UNSURE,
        _OFFLINE,
        Words("The store is a read-only replica: connect to the primary.", "存储是只读副本：请连接主节点。"),
    ),
    Refusal(
        153, "redeem.memory", 9, _UNSURE,
        _OFFLINE,
        Words("The store is out of memory: raise maxmemory, and keep the policy noeviction.", "存储内存不足：请调高 maxmemory，并保持 noeviction 策略。"),
    ),
    Refusal(
        154, "redeem.unreplicated", 9, _UNSURE,
        _OFFLINE,
        Words("{acknowledged} of {wanted} replicas confirmed the claim in time.", "{wanted} 个副本中仅 {acknowledged} 个及时确认。"),
    ),
    Refusal(
        155, "redeem.restarted", 9,
        Words("The record of used codes was lost after this code was issued.", "此码签发后，已用码记录曾丢失。"),
        Words("Refresh the code in the app and scan again.", "请在App内刷新码后重扫。"),
        Words("The store was restarted or emptied; tokens issued before that are refused.", "存储曾重启或被清空；此前签发的凭证一律拒绝。"),
    ),
)  # fmt: skip

BY_CODE: Mapping[str, Refusal] = MappingProxyType({refusal.code: refusal for refusal in REFUSALS})
BY_NUMBER: Mapping[int, Refusal] = MappingProxyType({refusal.number: refusal for refusal in REFUSALS})
