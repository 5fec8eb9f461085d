"""What people read: by SMS and by mail, in both languages."""

import dataclasses
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from services.notification.domain.message import with_password
from services.notification.domain.occasion import activated, expired, password_renewed, rejected, repeated, submitted
from services.notification.domain.sms import is_gsm, segments
from services.notification.media import mail_from
from shared.language.events import EVENTS, AccountActivated, DeclarationApproved, DeclarationSubmitted
from shared.language.values import Agency
from tests.support.events import (
    account_activated,
    declaration_acknowledged,
    declaration_expired,
    declaration_rejected,
    first_password_renewed,
    registration_repeated,
    reminder_requested,
)
from tests.support.people import AGENCY, CONTACT

PUBLIC = "http://127.0.0.1:8000"
LINK = f"{PUBLIC}/api/v1/declarations/2026-0000001/form.pdf?tracking_code=ABCDEFGH23"
ENGLISH = replace(CONTACT, language="en")
LONGEST = Agency(code="07921", name="Bảo hiểm xã hội " + "Thử Nghiệm Rất Dài " * 9, address="Số 1 " * 59)
PICKED_OUT = re.compile(r"Tai khoan: (\S+) Mat khau: (\S+) ")


def mail_of(occasion):
    return mail_from(occasion.letter())


def every_occasion(**changes):
    return [
        submitted(declaration_acknowledged(**changes), PUBLIC),
        repeated(registration_repeated(**changes)),
        rejected(declaration_rejected(**changes, reason="another_declaration_approved")),
        activated(account_activated(**changes)),
        password_renewed(first_password_renewed(**changes)),
        rejected(declaration_rejected(**changes)),
        expired(declaration_expired(**changes)),
    ]


def test_after_submission_the_sms_says_where_by_when_and_with_what():
    assert submitted(declaration_acknowledged(), PUBLIC).sms(accents=False) == (
        "BHXH VN: Da nhan to khai. Ho so 2026-0000001 Ma ABCDEFGH23 (dua ma nay cho can bo). Mang giay to tuy than den"
        f" BHXH Hoc Mon truoc 13/08/2026. Khong dua ma cho nguoi khac. To khai: {LINK}"
    )


@pytest.mark.parametrize("contact", [CONTACT, ENGLISH], ids=["vi", "en"])
def test_number_and_tracking_code_are_labelled_the_same_in_either_language(contact):
    for event in (declaration_acknowledged(contact=contact), reminder_requested(contact=contact)):
        text = submitted(event, PUBLIC).sms(accents=False)
        found = re.search(r"Ho so (\S+) Ma (\S+) ", text)
        assert found is not None
        assert found.groups() == ("2026-0000001", "ABCDEFGH23")


@pytest.mark.parametrize("contact", [CONTACT, ENGLISH], ids=["vi", "en"])
def test_account_and_password_are_labelled_the_same_wherever_they_stand(contact):
    for occasion in (
        activated(account_activated(contact=contact)),
        password_renewed(first_password_renewed(contact=contact)),
    ):
        text = with_password(occasion.sms(accents=False), "ABCDEFGH23")
        found = PICKED_OUT.search(text)
        assert found is not None
        assert found.groups() == ("7900000017", "ABCDEFGH23")
        assert is_gsm(text) and segments(text) <= 2
        assert "ABCDEFGH23" not in mail_of(occasion).text


def test_a_reminder_says_the_same_as_the_first_message():
    first, again = submitted(declaration_acknowledged(), PUBLIC), submitted(reminder_requested(), PUBLIC)
    assert again.sms(accents=False) == first.sms(accents=False)
    assert again.key != first.key


def test_what_ends_because_another_was_approved_says_so():
    text = rejected(declaration_rejected(reason="another_declaration_approved")).sms(accents=False)
    assert text == (
        "BHXH VN: To khai 2026-0000001 da ket thuc: mot to khai khac cung ma so BHXH da duoc duyet. Khong phai Ong/Ba?"
        " Goi 1900 9068. Khong cho ai biet mat khau."
    )


@pytest.mark.parametrize(("same_phone", "said"), [(True, "Quen mat khau"), (False, "Co nguoi khai dang ky")])
def test_the_holder_of_an_account_is_told_that_somebody_declared_again(same_phone, said):
    occasion = repeated(registration_repeated(same_phone=same_phone))
    assert said in occasion.sms(accents=False)
    assert "2026-0000001" not in occasion.sms(accents=False) + mail_of(occasion).text  # it may be a stranger's


@pytest.mark.parametrize("contact", [CONTACT, ENGLISH], ids=["vi", "en"])
def test_nobody_is_addressed_by_name_before_an_officer_saw_them(contact):
    """The phone and the mail address may be a stranger's, and the name an advertisement: no event carries it."""
    unseen = [one for one in every_occasion(contact=contact) if not one.key.startswith("account_")]
    assert len(unseen) == 6
    for occasion in unseen:
        assert mail_of(occasion).text.lstrip().startswith(("Kính gửi Ông/Bà,", "Dear Sir or Madam,"))
    heard = {kind for kind in EVENTS.values() if kind is not AccountActivated and "contact" in names(kind)}
    heard -= {DeclarationSubmitted, DeclarationApproved}  # which notification does not hear
    assert len(heard) == 6
    assert [kind for kind in heard if "full_name" in names(kind)] == []


def names(kind):
    return {field.name for field in dataclasses.fields(kind)}


def test_the_day_is_the_day_in_vietnam():
    late = datetime(2026, 8, 13, 17, 30, tzinfo=UTC)
    assert "truoc 14/08/2026" in submitted(declaration_acknowledged(expires_at=late), PUBLIC).sms(accents=False)


def test_the_account_message_can_be_picked_out_by_people_and_programs():
    assert activated(account_activated()).sms(accents=False) == (
        "BHXH VN: To khai duoc duyet. Tai khoan: 7900000017 Mat khau: <password> (han 09:00 06/08/2026, phai doi)."
        " Khong cho ai biet mat khau."
    )


@pytest.mark.parametrize("contact", [CONTACT, ENGLISH], ids=["vi", "en"])
def test_account_and_password_are_labelled_the_same_in_either_language(contact):
    text = with_password(activated(account_activated(contact=contact)).sms(accents=False), "ABCDE23456")
    found = PICKED_OUT.search(text)
    assert found is not None
    assert found.groups() == ("7900000017", "ABCDE23456")
    assert segments(text) == 1


def test_a_rejection_gives_the_reason():
    assert rejected(declaration_rejected(reason="Ảnh mặt sau bị mờ.")).sms(accents=False) == (
        "BHXH VN: To khai 2026-0000001 khong duoc duyet. Ly do: Anh mat sau bi mo. Can ho tro, lien he co quan BHXH"
        " gan nhat. Khong cho ai biet mat khau. Moi sua va khai lai."
    )


def test_an_expiry_says_that_it_is_deleted_and_how_to_declare_again():
    assert expired(declaration_expired()).sms(accents=False) == (
        "BHXH VN: To khai 2026-0000001 qua han nen da duoc xoa. Muon dang ky, moi khai lai tren VssID roi den"
        " BHXH Hoc Mon. Khong cho ai biet mat khau."
    )


@pytest.mark.parametrize("contact", [CONTACT, ENGLISH], ids=["vi", "en"])
def test_the_longest_agency_and_reason_stay_within_two_segments_without_accents(contact):
    for occasion in every_occasion(contact=contact, agency=LONGEST):
        text = occasion.sms(accents=False)
        assert is_gsm(text)
        assert segments(text) <= 2
    text = rejected(declaration_rejected(contact=contact, reason="Thiếu chữ ký. " * 100)).sms(accents=False)
    assert segments(text) == 2
    assert "Thieu chu ky" in text
    assert "..." in text


@pytest.mark.parametrize("contact", [CONTACT, ENGLISH], ids=["vi", "en"])
def test_with_accents_only_the_message_with_the_link_takes_more_than_two_segments(contact):
    first, *others = every_occasion(contact=contact, agency=LONGEST, number="2026-0000001")
    assert segments(first.sms(accents=True)) == 4
    assert LINK in first.sms(accents=True)
    assert all(segments(one.sms(accents=True)) <= 2 for one in others)


def test_accents_are_kept_where_the_operator_wants_them():
    text = rejected(declaration_rejected()).sms(accents=True)
    assert text.startswith("BHXH VN: Tờ khai 2026-0000001 không được duyệt. Lý do: Ảnh mặt sau bị mờ.")


@pytest.mark.parametrize("contact", [CONTACT, ENGLISH], ids=["vi", "en"])
def test_no_link_is_ever_sent_but_the_one_to_the_form(contact):
    for occasion in every_occasion(contact=contact):
        everything = " ".join((occasion.sms(accents=False), mail_of(occasion).text, mail_of(occasion).html))
        links = set(re.findall(r"https?://[^\s\"<]+", everything.replace("&amp;", "&")))
        assert links <= {LINK}


@pytest.mark.parametrize("contact", [CONTACT, ENGLISH], ids=["vi", "en"])
def test_every_short_message_and_mail_warns_to_keep_the_password(contact):
    warning = re.compile("Khong cho ai biet mat khau|Never share your password|Khong dua ma|Share it with nobody")
    for occasion in every_occasion(contact=contact):
        assert warning.search(occasion.sms(accents=False))
        assert re.search("mật khẩu|password", mail_of(occasion).text)


def test_the_mail_of_an_approval_has_the_account_and_no_password():
    mail = mail_of(activated(account_activated()))
    for text in (mail.text, mail.html):
        assert "7900000017" in text
        assert "<password>" not in text
        assert "&lt;password&gt;" not in text


def test_the_mail_is_in_the_language_of_the_person():
    assert mail_of(submitted(declaration_acknowledged(), PUBLIC)).subject == "Đã nhận tờ khai 2026-0000001"
    english = mail_of(submitted(declaration_acknowledged(contact=ENGLISH), PUBLIC))
    assert english.subject == "Declaration 2026-0000001 received"
    assert 'lang="en"' in english.html


def test_the_mail_gives_the_whole_reason_and_the_whole_name_of_the_agency():
    reason = "Thiếu chữ ký. " * 100
    text = mail_of(rejected(declaration_rejected(reason=reason, agency=LONGEST))).text
    assert reason.strip().rstrip(".") in text
    assert " ".join(LONGEST.name.split()) in text


def test_a_fact_without_a_value_has_no_line():
    text = mail_of(expired(declaration_expired(agency=replace(AGENCY, address=None)))).text
    assert "Địa chỉ" not in text


def test_the_mail_says_that_the_form_is_attached_only_when_it_is():
    assert "gửi kèm" in mail_of(submitted(declaration_acknowledged(form_key="forms/1.pdf"), PUBLIC)).text
    assert "gửi kèm" not in mail_of(submitted(declaration_acknowledged(), PUBLIC)).text


def test_everything_declared_is_escaped_in_html():
    evil = "<script>alert(\"x\")</script> & 'y'"
    page = mail_of(rejected(declaration_rejected(reason=evil))).html
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; &#39;y&#39;") == 1


def test_braces_that_somebody_declared_stay_as_they_are():
    reason = "{{ letter.footer }} {% raw %}"
    mail = mail_of(rejected(declaration_rejected(reason=reason)))
    assert reason in mail.text
    assert reason in mail.html


@pytest.mark.parametrize("contact", [CONTACT, ENGLISH], ids=["vi", "en"])
def test_every_fact_is_in_the_text_and_in_the_html_once(contact):
    for occasion in every_occasion(contact=contact):
        mail, letter = mail_of(occasion), occasion.letter()
        facts = re.findall(r"<tr><td[^>]*><span[^>]*>(.*?)</span><br><strong[^>]*>(.*?)</strong>", mail.html)
        assert tuple((unescape(label), unescape(value)) for label, value in facts) == letter.facts
        for label, value in letter.facts:
            assert mail.text.splitlines().count(f"{label}: {value}") == 1


def test_the_plain_text_of_a_mail_reads_as_it_should():
    letter = replace(rejected(declaration_rejected(contact=ENGLISH)).letter(), link=("Open", "http://a/?b=1&c=2"))
    assert mail_from(letter).text == (
        "Dear Sir or Madam,\n"
        "\n"
        "We are sorry: your declaration was not approved, for the following reason.\n"
        "\n"
        "Declaration number: 2026-0000001\n"
        "Reason: Ảnh mặt sau bị mờ\n"
        "Agency: Bảo hiểm xã hội Hóc Môn\n"
        "Address: 1 Đường Ví Dụ\n"
        "\n"
        f"{letter.steps[0]}\n"
        "\n"
        "Open:\n"
        "http://a/?b=1&c=2\n"
        "\n"
        f"{letter.warning}\n"
        "\n"
        "Vietnam Social Security\n"
        "\n"
        f"{letter.footer}\n"
    )


def test_a_link_in_a_mail_leads_where_it_should():
    page = mail_of(submitted(declaration_acknowledged(), PUBLIC)).html
    assert [unescape(one) for one in re.findall(r'href="([^"]*)"', page)] == [LINK]


def test_a_kind_of_declaration_we_do_not_know_yet_is_just_a_declaration():
    assert "Da nhan to khai. Ho so 2026-0000001" in submitted(declaration_acknowledged(kind="new"), PUBLIC).sms(
        accents=False
    )


def test_the_sealed_password_is_not_shown_by_accident():
    event: AccountActivated = account_activated(sealed_password="gAAAA-sealed")
    assert "gAAAA-sealed" not in repr(activated(event))
