"""What people read when a request is refused: Vietnamese first, then English. Each says what to do next."""

TITLES = {
    400: ("Yêu cầu chưa đúng", "The request is not valid"),
    401: ("Cần đăng nhập", "Sign-in required"),
    403: ("Không được phép", "Not allowed"),
    404: ("Không tìm thấy", "Not found"),
    405: ("Không dùng được cách gọi này", "Method not allowed"),
    409: ("Chưa thể thực hiện", "Not possible"),
    413: ("Nội dung quá lớn", "Too large"),
    415: ("Định dạng không đọc được", "Unsupported format"),
    423: ("Tạm khóa", "Locked"),
    429: ("Quá nhiều yêu cầu", "Too many requests"),
    500: ("Lỗi hệ thống", "Internal error"),
    503: ("Tạm thời không phục vụ được", "Temporarily unavailable"),
}

CODES = {
    "invalid_request": (
        "Một số thông tin chưa đúng. Hãy sửa các mục nêu dưới đây rồi gửi lại.",
        "Some values are not valid. Correct the fields below and send the request again.",
    ),
    "unreadable_image": (
        "Không đọc được ảnh. Hãy chụp lại và gửi ảnh JPEG, PNG, WebP hoặc HEIC.",
        "The picture cannot be read. Take it again and send it as JPEG, PNG, WebP or HEIC.",
    ),
    "unreadable_qr": (
        "Không đọc được mã QR. Hãy quét lại nơi đủ sáng, hoặc nhập tay.",
        "The QR code cannot be read. Scan it again in good light, or enter the values yourself.",
    ),
    "unauthenticated": ("Hãy đăng nhập rồi thử lại.", "Sign in and try again."),
    "wrong_credentials": (
        "Tên đăng nhập, mật khẩu hoặc mã xác thực không đúng. Sai 5 lần sẽ bị khóa 15 phút tại địa chỉ này.",
        "The user name, the password or the code is wrong. After 5 failed attempts the name is locked for 15 minutes"
        " at this address.",
    ),
    "otp_required": (
        "Hãy nhập thêm mã 6 số của ứng dụng xác thực.",
        "Enter the 6 digits that your authenticator shows, too.",
    ),
    "otp_not_enrolled": (
        "Tài khoản này chưa có ứng dụng xác thực. Hãy nhờ người quản trị hệ thống cấp mã QR để quét.",
        "This account has no authenticator. Ask the operator of the system for the QR code that it scans.",
    ),
    "account_not_found": (
        "Mã số này chưa có tài khoản. Hãy kiểm tra lại mã số.",
        "This insurance code has no account. Check the code.",
    ),
    "session_not_found": (
        "Không có phiên đăng nhập này, hoặc đã kết thúc. Hãy tải lại danh sách.",
        "There is no such session, or it has ended. Load the list again.",
    ),
    "officer_not_found": (
        "Cơ quan này không có cán bộ mang tên đó. Hãy tải lại danh sách.",
        "The agency has no officer of this name. Load the list again.",
    ),
    "forbidden": ("Tài khoản này không được làm việc đó.", "This account is not allowed to do that."),
    "wrong_signature": (
        "Chữ ký của lời gọi không đúng, nên không có gì thay đổi.",
        "The signature is not valid, so nothing was changed.",
    ),
    "already_settled": (
        "Tin nhắn này đã kết thúc ({state}), không gửi lại được.",
        "This message is closed ({state}) and cannot be sent again.",
    ),
    "not_found": (
        "Không có gì ở đây. Hãy kiểm tra lại số hồ sơ và mã tra cứu.",
        "Nothing was found. Check the number and the tracking code.",
    ),
    "upload_not_found": (
        "Không tìm thấy ảnh đã tải lên, hoặc ảnh đã được dùng. Hãy tải ảnh lên lại.",
        "The uploaded picture was not found or is already in use. Upload it again.",
    ),
    "no_such_photo": ("Hồ sơ này không có loại ảnh đó.", "This dossier has no picture of that kind."),
    "link_expired": (
        "Đường dẫn đã hết hạn. Hãy mở lại hồ sơ.",
        "This link has expired. Open the dossier again.",
    ),
    "method_not_allowed": ("Địa chỉ này chỉ nhận: {allow}.", "This address accepts only: {allow}."),
    "account_exists": (
        "Mã số BHXH này đã có tài khoản. Hãy hướng dẫn người dân đăng nhập hoặc lấy lại mật khẩu, và từ chối tờ khai.",
        "There is an account for this insurance code. Tell the person to sign in or to reset the password, and reject.",
    ),
    "declaration_pending": (
        "Số điện thoại này đã có tờ khai đang chờ cho mã số BHXH này. Hãy mang giấy tờ đến cơ quan BHXH đã chọn, hoặc"
        " rút tờ khai cũ.",
        "This phone number has a pending declaration for this insurance code. Take your papers to the agency you"
        " chose, or withdraw it.",
    ),
    "unknown_agency": (
        "Không có cơ quan BHXH mang mã này, hoặc đã ngừng hoạt động. Hãy chọn lại trong danh sách.",
        "There is no open agency with this code. Choose one from the list.",
    ),
    "already_decided": (
        "Hồ sơ này đã kết thúc, không thay đổi được nữa.",
        "This declaration is closed and can no longer be changed.",
    ),
    "assigned_to_another": (
        "Cán bộ khác đang giữ hồ sơ này. Hãy chọn hồ sơ khác, hoặc nhờ trả lại.",
        "This dossier is assigned to another officer. Choose another one, or ask for it to be returned.",
    ),
    "identity_not_checked": (
        "Hãy đối chiếu người và giấy tờ, đánh dấu “đã kiểm tra nhân thân”, rồi duyệt.",
        "Compare the person with the papers, tick “identity checked”, then approve.",
    ),
    "confirmation_required": (
        "Hãy xem lại các thay đổi và xác nhận.",
        "Review the changes and confirm them.",
    ),
    "code_not_registered": (
        "Mã số BHXH không có trong hệ thống hộ gia đình (HGĐ). Hãy hướng dẫn người dân làm thủ tục cấp mã số BHXH.",
        "The code is not in the household register. Tell the person how to apply for an insurance code.",
    ),
    "name_mismatch": (
        "Họ tên trên tờ khai khác họ tên trong hệ thống hộ gia đình (HGĐ). Hãy đối chiếu giấy tờ.",
        "The household register has a different name for this code. Compare the papers.",
    ),
    "name_spelling_differs": (
        "Hệ thống hộ gia đình (HGĐ) ghi họ tên này với dấu khác. Hãy đối chiếu giấy tờ; nếu là cùng một người, hãy xác"
        " nhận.",
        "The household register spells this name with other accents. Compare the papers, and confirm if it is the"
        " same person.",
    ),
    "id_mismatch": (
        "Hệ thống hộ gia đình (HGĐ) ghi số giấy tờ khác cho mã số này. Hãy đối chiếu giấy tờ.",
        "The household register has a different ID number for this code. Compare the papers.",
    ),
    "wrong_tracking_code": (
        "Mã tra cứu không đúng. Hãy quét mã QR trên tờ khai, nhập mã trong tin nhắn, hoặc gửi lại mã cho người dân.",
        "The tracking code is wrong. Scan the QR code of the form, type the code of the message, or send it again.",
    ),
    "reason_required": (
        "Hãy nhập lý do không chấp nhận; người dân sẽ nhận được lý do này.",
        "Enter the reason for the rejection; the applicant will be told.",
    ),
    "idempotency_key_reused": (
        "Idempotency-Key này đã dùng cho một yêu cầu khác. Hãy tạo khóa mới.",
        "This Idempotency-Key was used for a different request. Use a new one.",
    ),
    "too_large": (
        "Nội dung lớn hơn {limit} byte. Hãy gửi tệp nhỏ hơn.",
        "The content is larger than {limit} bytes. Send a smaller file.",
    ),
    "unsupported_media_type": (
        "Hãy gửi ảnh JPEG, PNG, WebP hoặc HEIC; các yêu cầu khác gửi dạng JSON.",
        "Send pictures as JPEG, PNG, WebP or HEIC, and everything else as JSON.",
    ),
    "locked": (
        "Sai quá nhiều lần nên tạm khóa. Hãy thử lại sau thời gian ghi trong Retry-After.",
        "Too many failed attempts. Try again after the time that Retry-After gives.",
    ),
    "too_many_requests": (
        "Quá nhiều yêu cầu. Hãy đợi một lát rồi thử lại.",
        "Too many requests. Wait a moment and try again.",
    ),
    "busy": (
        "Hệ thống đang quá tải. Hãy thử lại sau vài giây.",
        "The service is overloaded. Try again in a few seconds.",
    ),
    "unavailable": (
        "Hệ thống tạm thời không phục vụ được. Không có gì bị mất; hãy thử lại sau vài giây.",
        "The service is temporarily unavailable. Nothing was lost; try again in a few seconds.",
    ),
    "register_unavailable": (
        "Hệ thống hộ gia đình (HGĐ) không trả lời. Hồ sơ chưa thay đổi; hãy thử lại sau.",
        "The household register does not respond. Nothing was changed; try again later.",
    ),
    "unexpected": (
        "Đã có lỗi ở phía chúng tôi. Hãy thử lại; nếu vẫn lỗi, hãy báo mã yêu cầu cho tổng đài.",
        "Something went wrong on our side. Try again; if it happens again, give the hotline the request id.",
    ),
}

FIELDS = {
    "invalid": ("Giá trị chưa đúng.", "This value is not valid."),
    "required": ("Mục này là bắt buộc.", "This field is required."),
    "null": ("Mục này không được để trống (null).", "This field must not be null."),
    "empty": ("Mục này không được để trống.", "This field must not be empty."),
    "wrong_type": ("Sai kiểu dữ liệu.", "This value has the wrong type."),
    "unknown_field": ("Không có mục nào tên như vậy.", "There is no field with this name."),
    "too_long": ("Dài quá {limit} ký tự.", "Must not be longer than {limit} characters."),
    "unprintable_characters": (
        "Có ký tự điều khiển hoặc ký tự ẩn. Hãy nhập lại bằng tay.",
        "Contains control or hidden characters. Type it again.",
    ),
    "unusual_characters": (
        "Chỉ dùng chữ, số, dấu cách và các dấu , . / ( ) & # : + -",
        "Use only letters, digits, spaces and , . / ( ) & # : + -",
    ),
    "leads_elsewhere": (
        "Không ghi địa chỉ trang web hay số điện thoại trong mục này.",
        "Do not write web addresses or telephone numbers in this field.",
    ),
    "picture_too_small": (
        "Ảnh nhỏ hơn {limit} điểm ảnh mỗi cạnh. Hãy chụp lại.",
        "The picture has fewer than {limit} pixels on a side. Take it again.",
    ),
    "not_a_name": (
        "Họ tên chỉ gồm chữ cái và dấu cách, không có địa chỉ trang web.",
        "A name consists of letters and spaces, and of no web address.",
    ),
    "not_a_mobile": (
        "Không phải số di động Việt Nam, ví dụ 0912345678.",
        "Not a Vietnamese mobile number such as 0912345678.",
    ),
    "not_an_otp": ("Mã xác thực gồm đúng 6 chữ số.", "A code has exactly 6 digits."),
    "not_an_email": ("Không phải địa chỉ thư điện tử.", "Not an e-mail address."),
    "must_be_accepted": ("Cần được đánh dấu đồng ý.", "This must be accepted."),
    "not_a_choice": ("Chọn một trong: {choices}.", "Choose one of: {choices}."),
    "not_a_number": ("Không phải số nguyên.", "Must be a whole number."),
    "out_of_range": ("Phải từ {lowest} đến {highest}.", "Must be between {lowest} and {highest}."),
    "not_a_date": ("Không phải ngày dạng NĂM-THÁNG-NGÀY.", "Not a date in the format YYYY-MM-DD."),
    "not_a_cursor": ("Con trỏ trang không đúng; dùng next_cursor.", "Not a valid cursor; use next_cursor unchanged."),
    "not_an_insurance_code": ("Mã số BHXH gồm đúng 10 chữ số.", "An insurance code has exactly 10 digits."),
    "not_an_id_number": ("Số giấy tờ chưa đúng.", "The document number is not valid."),
    "not_a_cccd": ("Số CCCD gồm đúng 12 chữ số.", "A CCCD number has exactly 12 digits."),
    "not_a_cmnd": ("Số CMND gồm đúng 9 chữ số.", "A CMND number has exactly 9 digits."),
    "not_a_passport": (
        "Số hộ chiếu gồm 6 đến 12 chữ in hoa và số.",
        "A passport number has 6 to 12 capital letters and digits.",
    ),
    "cccd_unknown_province": (
        "Ba số đầu của CCCD không phải mã tỉnh hay mã nước.",
        "The first three digits are not the code of a province or country of birth.",
    ),
    "cccd_birth_year_in_future": (
        "Số CCCD cho năm sinh ở tương lai. Hãy kiểm tra chữ số thứ 4 đến 6.",
        "The year of birth in the number is in the future. Check digits 4 to 6.",
    ),
    "not_a_province_code": ("Mã tỉnh gồm 2 hoặc 3 chữ số.", "A province code has 2 or 3 digits."),
    "unknown_province": ("Không có tỉnh mang mã này hiện nay.", "No current province has this code."),
    "not_a_ward_code": ("Mã xã gồm 5 chữ số.", "A ward code has 5 digits."),
    "unknown_ward": ("Tỉnh này không có xã mang mã đó.", "This province has no ward with this code."),
    "not_an_agency_code": ("Mã cơ quan BHXH gồm 3 hoặc 5 chữ số.", "An agency code has 3 or 5 digits."),
    "not_an_upload_id": ("Không phải mã của ảnh đã tải lên.", "Not a valid upload id."),
    "not_an_idempotency_key": (
        "Idempotency-Key gồm 1 đến 128 ký tự ASCII in được.",
        "An Idempotency-Key has 1 to 128 printable ASCII characters.",
    ),
    "repeated": ("Mục này chỉ gửi một lần.", "Send this field only once."),
    "too_many_fields": ("Có nhiều hơn {limit} mục.", "More than {limit} fields."),
    "too_deep": ("Nội dung lồng nhau quá {limit} lớp.", "Nested more than {limit} levels deep."),
    "not_json": ("Nội dung không phải JSON.", "The body is not valid JSON."),
    "malformed_header": (
        "Một tiêu đề (header) bị hỏng, hoặc có thể hiểu theo hai cách.",
        "A header is malformed, or can be read in two ways.",
    ),
    "body_broken": ("Nội dung bị hỏng trên đường gửi.", "The body is incomplete or malformed."),
}
