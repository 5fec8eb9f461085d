"""Every text people are sent, in Vietnamese and in English. Words only: the values in braces come from events.

An SMS has a start (``sms``), an ``advice`` that is left out first where the SMS is too long, and an end
(``sms_end``); ``shortens`` names the value that may be cut. C6: one sender, no link but the one to the form, and
never a question for a secret. A mail never contains a password.
"""

from dataclasses import dataclass

from shared.language.values import DeclarationKind, Language

PLACEHOLDER = "<password>"  # where the sealed password goes; as long as one, so that segments are counted right

SUBMITTED, ACTIVATED, REJECTED, EXPIRED = "submitted", "activated", "rejected", "expired"
PASSWORD_RENEWED = "password_renewed"  # noqa: S105
ANOTHER_APPROVED = "another_approved"  # a rejection that no officer wrote
REPEATED, REPEATED_BY_HOLDER = "repeated", "repeated_by_holder"
SMS_UNDELIVERED = "sms_undelivered"
HOTLINE = "1900 9068"  # U6


@dataclass(frozen=True)
class Text:
    """One message, in one language. ``facts`` are pairs of label and value, ``button`` names the link."""

    sms: str
    shortens: str
    subject: str
    title: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    steps: tuple[str, ...]
    advice: str
    sms_end: str = ""
    button: str = ""
    attached: str = ""


@dataclass(frozen=True)
class Frame:
    """What surrounds every mail of a language."""

    sender: str
    declaration: str
    greeting: str
    greeting_unnamed: str
    warning: str
    footer: str


FRAMES = {
    Language.VIETNAMESE: Frame(
        sender="Bảo hiểm xã hội Việt Nam",
        declaration="tờ khai",
        greeting="Kính gửi Ông/Bà {full_name},",
        greeting_unnamed="Kính gửi Ông/Bà,",
        warning=(
            "Để an toàn, Ông/Bà không cho ai biết mật khẩu hoặc mã OTP. Cán bộ bảo hiểm xã hội không bao giờ hỏi"
            " những thông tin này. Thư của chúng tôi không có liên kết nào ngoài liên kết đến tờ khai của Ông/Bà."
        ),
        footer="Thư được gửi tự động, Ông/Bà không cần trả lời.",
    ),
    Language.ENGLISH: Frame(
        sender="Vietnam Social Security",
        declaration="declaration",
        greeting="Dear {full_name},",
        greeting_unnamed="Dear Sir or Madam,",
        warning=(
            "For your safety, never share your password or a one-time code with anyone. Social-insurance officers"
            " never ask for them. Our mails contain no link except the one to your own declaration."
        ),
        footer="This mail was sent automatically; there is no need to reply.",
    ),
}

KINDS = {
    Language.VIETNAMESE: {
        DeclarationKind.REGISTER: "tờ khai",
        DeclarationKind.CHILD: "tờ khai của con",
        DeclarationKind.ADJUST: "tờ khai điều chỉnh",
        DeclarationKind.STOP: "tờ khai ngừng sử dụng",
    },
    Language.ENGLISH: {
        DeclarationKind.REGISTER: "registration",
        DeclarationKind.CHILD: "registration of your child",
        DeclarationKind.ADJUST: "adjustment",
        DeclarationKind.STOP: "request to stop",
    },
}

VIETNAMESE = {
    SUBMITTED: Text(
        sms=(
            "BHXH VN: Đã nhận {kind}. Hồ sơ {number} Mã {tracking_code} (đưa mã này cho cán bộ). Mang giấy tờ tùy thân"
            " đến {agency} trước {until}."
        ),
        advice=" Không đưa mã cho người khác.",
        sms_end=" Tờ khai: {link}",
        shortens="agency",
        subject="Đã nhận tờ khai {number}",
        title="Đã nhận tờ khai",
        lead="Chúng tôi đã nhận {kind} của Ông/Bà. Cảm ơn Ông/Bà đã sử dụng VssID.",
        facts=(
            ("Số tờ khai", "{number}"),
            ("Mã tra cứu", "{tracking_code}"),
            ("Nơi nộp", "{agency}"),
            ("Địa chỉ", "{agency_address}"),
            ("Nộp trước ngày", "{until}"),
        ),
        steps=(
            "Ông/Bà vui lòng in tờ khai, ký và ghi rõ họ tên, rồi mang đến nơi nộp cùng giấy tờ tùy thân"
            " (CCCD, CMND hoặc hộ chiếu) trước ngày {until}.",
            "Tại nơi nộp, Ông/Bà đưa cho cán bộ mã tra cứu, hoặc mã QR in trên tờ khai. Ông/Bà không đưa mã này cho ai"
            " khác.",
            "Quá thời hạn này, tờ khai và dữ liệu cá nhân trong đó sẽ tự động được xóa.",
        ),
        button="Xem và in tờ khai",
        attached="Tờ khai (tệp PDF) được gửi kèm thư này.",
    ),
    ACTIVATED: Text(
        sms=(
            "BHXH VN: Tờ khai được duyệt. Tài khoản: {account} Mật khẩu: {password} (hạn {until}, phải đổi)."
            " Không cho ai biết mật khẩu."
        ),
        advice="",
        shortens="number",
        subject="Tờ khai {number} đã được chấp thuận",
        title="Tài khoản đã được kích hoạt",
        lead="Tờ khai của Ông/Bà đã được chấp thuận và tài khoản giao dịch điện tử đã được kích hoạt.",
        facts=(
            ("Số tờ khai", "{number}"),
            ("Tài khoản", "{account}"),
            ("Cơ quan tiếp nhận", "{agency}"),
        ),
        steps=(
            "Mật khẩu lần đầu đã được gửi bằng tin nhắn đến số điện thoại Ông/Bà đã đăng ký. Mật khẩu dùng được"
            " một lần, đến {until}.",
            "Ông/Bà mở ứng dụng VssID, đăng nhập bằng tài khoản và mật khẩu trong tin nhắn, rồi đổi sang mật khẩu"
            " của riêng mình.",
        ),
    ),
    PASSWORD_RENEWED: Text(
        sms=(
            "BHXH VN: Cấp lại mật khẩu. Tài khoản: {account} Mật khẩu: {password} (hạn {until}, phải đổi). Không cho ai"
            " biết mật khẩu."
        ),
        advice="",
        shortens="number",
        subject="Mật khẩu của tài khoản {account} đã được cấp lại",
        title="Mật khẩu đã được cấp lại",
        lead="Cán bộ bảo hiểm xã hội đã kiểm tra giấy tờ và cấp lại mật khẩu lần đầu cho tài khoản của Ông/Bà.",
        facts=(("Tài khoản", "{account}"), ("Cơ quan đã mở tài khoản", "{agency}"), ("Địa chỉ", "{agency_address}")),
        steps=(
            "Mật khẩu đã được gửi bằng tin nhắn đến số điện thoại Ông/Bà đã đăng ký. Mật khẩu dùng được một lần, đến"
            " {until}; mật khẩu trước không còn dùng được.",
            f"Nếu không phải Ông/Bà yêu cầu, hãy gọi ngay tổng đài {HOTLINE}.",
        ),
    ),
    REJECTED: Text(
        sms="BHXH VN: Tờ khai {number} không được duyệt. Lý do: {reason}.",
        sms_end=" Mời sửa và khai lại.",
        advice=" Cần hỗ trợ, liên hệ cơ quan BHXH gần nhất. Không cho ai biết mật khẩu.",
        shortens="reason",
        subject="Tờ khai {number} không được chấp thuận",
        title="Tờ khai chưa được chấp thuận",
        lead="Rất tiếc, tờ khai của Ông/Bà không được chấp thuận vì lý do sau.",
        facts=(
            ("Số tờ khai", "{number}"),
            ("Lý do", "{reason}"),
            ("Cơ quan tiếp nhận", "{agency}"),
            ("Địa chỉ", "{agency_address}"),
        ),
        steps=(
            "Ông/Bà vui lòng sửa thông tin theo lý do trên và gửi tờ khai mới trên VssID, hoặc liên hệ cơ quan"
            " bảo hiểm xã hội gần nhất để được hướng dẫn.",
        ),
    ),
    ANOTHER_APPROVED: Text(
        sms=(
            "BHXH VN: Tờ khai {number} đã kết thúc: một tờ khai khác cùng mã số BHXH đã được duyệt."
            f" Không phải Ông/Bà? Gọi {HOTLINE}."
        ),
        advice=" Không cho ai biết mật khẩu.",
        shortens="number",
        subject="Tờ khai {number} đã kết thúc",
        title="Một tờ khai khác đã được duyệt",
        lead=(
            "Tờ khai của Ông/Bà đã kết thúc, vì một tờ khai khác của cùng mã số bảo hiểm xã hội đã được duyệt tại cơ"
            " quan bảo hiểm xã hội."
        ),
        facts=(("Số tờ khai", "{number}"), ("Cơ quan tiếp nhận", "{agency}"), ("Địa chỉ", "{agency_address}")),
        steps=(
            f"Nếu Ông/Bà không phải là người đã đến nộp tờ khai kia, hãy gọi ngay tổng đài {HOTLINE} hoặc đến cơ quan"
            " bảo hiểm xã hội gần nhất, mang theo giấy tờ tùy thân.",
        ),
    ),
    REPEATED: Text(
        sms=(
            "BHXH VN: Có người khai đăng ký bằng mã số BHXH của Ông/Bà tại {agency}. Tài khoản không đổi."
            f" Không phải Ông/Bà? Gọi {HOTLINE}."
        ),
        advice=" Không cho ai biết mật khẩu.",
        shortens="agency",
        subject="Có người khai đăng ký bằng mã số của Ông/Bà",
        title="Có người khai đăng ký bằng mã số của Ông/Bà",
        lead=(
            "Mã số bảo hiểm xã hội của Ông/Bà đã có tài khoản, và vừa có người gửi tờ khai đăng ký bằng mã số này từ"
            " một số điện thoại khác. Tài khoản của Ông/Bà không thay đổi."
        ),
        facts=(("Nơi nộp đã chọn", "{agency}"), ("Địa chỉ", "{agency_address}")),
        steps=(
            f"Nếu không phải Ông/Bà hay người nhà khai, hãy gọi tổng đài {HOTLINE}.",
            "Nếu Ông/Bà quên mật khẩu, hãy mở ứng dụng VssID và chọn Quên mật khẩu, không cần đăng ký lại.",
        ),
    ),
    REPEATED_BY_HOLDER: Text(
        sms=(
            "BHXH VN: Mã số của Ông/Bà đã có tài khoản. Quên mật khẩu: mở VssID, chọn Quên mật khẩu, hoặc đến {agency},"
            f" hoặc gọi {HOTLINE}."
        ),
        advice=" Không cho ai biết mật khẩu.",
        shortens="agency",
        subject="Mã số của Ông/Bà đã có tài khoản",
        title="Ông/Bà đã có tài khoản",
        lead="Mã số bảo hiểm xã hội của Ông/Bà đã có tài khoản, nên Ông/Bà không cần đăng ký lại.",
        facts=(("Nơi nộp đã chọn", "{agency}"), ("Địa chỉ", "{agency_address}")),
        steps=(
            "Nếu Ông/Bà quên mật khẩu, hãy mở ứng dụng VssID và chọn Quên mật khẩu, hoặc mang giấy tờ tùy thân đến cơ"
            " quan bảo hiểm xã hội gần nhất.",
        ),
    ),
    EXPIRED: Text(
        sms=(
            "BHXH VN: Tờ khai {number} quá hạn nên đã được xóa. Muốn đăng ký, mời khai lại trên VssID rồi đến {agency}."
        ),
        advice=" Không cho ai biết mật khẩu.",
        shortens="agency",
        subject="Tờ khai {number} đã quá hạn và được xóa",
        title="Tờ khai đã quá hạn",
        lead=(
            "Tờ khai của Ông/Bà chưa được nộp tại cơ quan bảo hiểm xã hội trong thời hạn, nên tờ khai và dữ liệu cá"
            " nhân trong đó đã được xóa."
        ),
        facts=(("Số tờ khai", "{number}"), ("Cơ quan tiếp nhận", "{agency}"), ("Địa chỉ", "{agency_address}")),
        steps=(
            "Nếu vẫn muốn đăng ký, Ông/Bà mở ứng dụng VssID hoặc trang đăng ký, chọn Đăng ký và gửi tờ khai mới,"
            " rồi mang giấy tờ tùy thân đến cơ quan bảo hiểm xã hội đã chọn.",
        ),
    ),
    SMS_UNDELIVERED: Text(
        sms="",  # only ever sent by mail
        advice="",
        shortens="agency",
        subject="Tin nhắn mật khẩu của tờ khai {number} chưa đến được",
        title="Tin nhắn chưa đến được",
        lead=(
            "Tài khoản của Ông/Bà đã được kích hoạt, nhưng tin nhắn có mật khẩu lần đầu không gửi đến được số điện"
            " thoại Ông/Bà đã đăng ký."
        ),
        facts=(
            ("Số tờ khai", "{number}"),
            ("Tài khoản", "{account}"),
            ("Cơ quan tiếp nhận", "{agency}"),
            ("Địa chỉ", "{agency_address}"),
        ),
        steps=(
            "Ông/Bà vui lòng mang giấy tờ tùy thân (CCCD, CMND hoặc hộ chiếu) đến cơ quan tiếp nhận để kiểm tra số"
            " điện thoại và được hỗ trợ đăng nhập.",
            f"Cần hỗ trợ, Ông/Bà gọi tổng đài {HOTLINE}. Vì an toàn, mật khẩu không bao giờ được gửi qua thư điện tử.",
        ),
    ),
}

ENGLISH = {
    SUBMITTED: Text(
        # people and programs know the two labels from every message about a declaration
        sms=(
            "VSS: We received your {kind}. Ho so {number} Ma {tracking_code} (file, code: show it to the officer)."
            " Bring your ID to {agency} before {until}."
        ),
        advice=" Share it with nobody else.",
        sms_end=" Form: {link}",
        shortens="agency",
        subject="Declaration {number} received",
        title="We received your declaration",
        lead="We received your {kind}. Thank you for using VssID.",
        facts=(
            ("Declaration number", "{number}"),
            ("Tracking code", "{tracking_code}"),
            ("Where to go", "{agency}"),
            ("Address", "{agency_address}"),
            ("Before (day/month/year)", "{until}"),
        ),
        steps=(
            "Please print the form, sign it with your full name and bring it to the agency with your identity card"
            " or passport before {until}.",
            "At the agency, show the officer the tracking code, or the QR code on the form. Share it with nobody else.",
            "After that day the declaration and the personal data in it are deleted automatically.",
        ),
        button="View and print the form",
        attached="The form is attached to this mail as a PDF file.",
    ),
    ACTIVATED: Text(
        # people and programs know the two labels from every account message
        sms=(
            "VSS: Account approved. Tai khoan: {account} Mat khau: {password} (account, password; valid until"
            " {until}, must be changed). Never share your password."
        ),
        advice="",
        shortens="number",
        subject="Declaration {number} approved",
        title="Your account is active",
        lead="Your declaration was approved and your account for electronic transactions is active.",
        facts=(
            ("Declaration number", "{number}"),
            ("Account", "{account}"),
            ("Agency", "{agency}"),
        ),
        steps=(
            "Your first password was sent by SMS to the phone number you registered. It works once, until {until}.",
            "Open the VssID app, sign in with the account and the password from the SMS, and choose a password of"
            " your own.",
        ),
    ),
    PASSWORD_RENEWED: Text(
        sms=(
            "VSS: New password. Tai khoan: {account} Mat khau: {password} (account, password; valid until {until}, must"
            " be changed). Never share your password."
        ),
        advice="",
        shortens="number",
        subject="A new password for your account {account}",
        title="You have a new password",
        lead="An officer checked your papers and had a new first password made for your account.",
        facts=(("Account", "{account}"), ("Agency that opened it", "{agency}"), ("Address", "{agency_address}")),
        steps=(
            "The password was sent by SMS to the phone number you registered. It works once, until {until}; the one"
            " before no longer works.",
            f"If it was not you who asked for it, call {HOTLINE} at once.",
        ),
    ),
    REJECTED: Text(
        sms="VSS: Declaration {number} was not approved. Reason: {reason}.",
        sms_end=" Please correct it and declare again.",
        advice=" For help contact the nearest agency. Never share your password.",
        shortens="reason",
        subject="Declaration {number} not approved",
        title="Your declaration was not approved",
        lead="We are sorry: your declaration was not approved, for the following reason.",
        facts=(
            ("Declaration number", "{number}"),
            ("Reason", "{reason}"),
            ("Agency", "{agency}"),
            ("Address", "{agency_address}"),
        ),
        steps=(
            "Please correct the information and send a new declaration in VssID, or ask the nearest"
            " social-insurance agency for help.",
        ),
    ),
    ANOTHER_APPROVED: Text(
        sms=(
            "VSS: Declaration {number} is closed: another one of the same insurance code was approved."
            f" Not you? Call {HOTLINE}."
        ),
        advice=" Never share your password.",
        shortens="number",
        subject="Declaration {number} is closed",
        title="Another declaration was approved",
        lead=(
            "Your declaration is closed, because another declaration of the same insurance code was approved at a"
            " social-insurance agency."
        ),
        facts=(("Declaration number", "{number}"), ("Agency", "{agency}"), ("Address", "{agency_address}")),
        steps=(
            f"If it was not you who handed in the other declaration, call {HOTLINE} at once, or go to the nearest"
            " social-insurance agency with your identity card or passport.",
        ),
    ),
    REPEATED: Text(
        sms=(
            "VSS: Somebody declared a registration with your code at {agency}. Your account is unchanged."
            f" Not you? Call {HOTLINE}."
        ),
        advice=" Never share your password.",
        shortens="agency",
        subject="Somebody declared a registration with your code",
        title="Somebody declared a registration with your code",
        lead=(
            "Your insurance code has an account, and somebody declared a registration with it from another phone"
            " number. Your account is unchanged."
        ),
        facts=(("Agency chosen", "{agency}"), ("Address", "{agency_address}")),
        steps=(
            f"If it was neither you nor your family, call {HOTLINE}.",
            "If you forgot your password, open the VssID app and choose Forgot password; there is no need to register"
            " again.",
        ),
    ),
    REPEATED_BY_HOLDER: Text(
        sms=(
            "VSS: Your code has an account already. Forgot your password? Choose that in VssID, visit {agency}, or"
            f" call {HOTLINE}."
        ),
        advice=" Never share your password.",
        shortens="agency",
        subject="Your insurance code has an account",
        title="You have an account already",
        lead="Your insurance code has an account already, so there is no need to register again.",
        facts=(("Agency chosen", "{agency}"), ("Address", "{agency_address}")),
        steps=(
            "If you forgot your password, open the VssID app and choose Forgot password, or go to the nearest"
            " social-insurance agency with your identity card or passport.",
        ),
    ),
    EXPIRED: Text(
        sms=(
            "VSS: Declaration {number} ran out of time and was deleted. To register, declare again in VssID, then visit"
            " {agency}."
        ),
        advice=" Never share your password.",
        shortens="agency",
        subject="Declaration {number} expired and was deleted",
        title="Your declaration expired",
        lead=(
            "Your declaration was not handed in at the social-insurance agency in time, so it was deleted together"
            " with the personal data in it."
        ),
        facts=(("Declaration number", "{number}"), ("Agency", "{agency}"), ("Address", "{agency_address}")),
        steps=(
            "If you still wish to register, open the VssID app or the registration page, choose Register and send a"
            " new declaration, then bring your identity paper to the agency you chose.",
        ),
    ),
    SMS_UNDELIVERED: Text(
        sms="",  # only ever sent by mail
        advice="",
        shortens="agency",
        subject="The password message of declaration {number} did not arrive",
        title="A text message did not arrive",
        lead=(
            "Your account is active, but the text message with your first password could not be delivered to the"
            " phone number you registered."
        ),
        facts=(
            ("Declaration number", "{number}"),
            ("Account", "{account}"),
            ("Agency", "{agency}"),
            ("Address", "{agency_address}"),
        ),
        steps=(
            "Please bring your identity card or passport to the agency, to have your phone number checked and to be"
            " helped with signing in.",
            f"For help call {HOTLINE}. For your safety, a password is never sent by mail.",
        ),
    ),
}

TEXTS = {Language.VIETNAMESE: VIETNAMESE, Language.ENGLISH: ENGLISH}
