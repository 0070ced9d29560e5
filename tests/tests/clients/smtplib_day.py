# What a day of smtplib looks like: every way in, extensions, refusals, and a mail of 50 MB in chunks of TLS.
import smtplib, ssl, sys

mx, submission, submissions, lmtp, domain, password = sys.argv[1:]
alice, bob = "alice@" + domain, "bob@" + domain
tls = ssl.create_default_context()
tls.check_hostname = False
tls.verify_mode = ssl.CERT_NONE


def at(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


def mail(subject, sender=bob):
    return (f"From: {sender}\r\nTo: {alice}\r\nSubject: {subject}\r\n\r\n.dot\r\n..dots\r\n").encode()


def refused(code, enhanced, what):
    try:
        what()
    except smtplib.SMTPResponseException as error:
        got, text = error.smtp_code, error.smtp_error
    except smtplib.SMTPRecipientsRefused as error:
        got, text = next(iter(error.recipients.values()))
    else:
        raise AssertionError("not refused")
    assert got == code and text.startswith(enhanced.encode()), (got, text)
    assert b"(trace " in text, text


# 1, 2: in clear by EHLO, by HELO.
with smtplib.SMTP(*at(mx)) as s:
    s.sendmail("x@example.org", [alice], mail("in clear"))
with smtplib.SMTP(*at(mx)) as s:
    s.helo("old.example")
    s.sendmail("x@example.org", [alice], mail("by HELO"))

# 3: STARTTLS; 4: 8BITMIME; 5: SMTPUTF8, and several mails in one session.
with smtplib.SMTP(*at(mx)) as s:
    s.starttls(context=tls)
    s.sendmail("x@example.org", [alice], mail("through TLS"))
    s.sendmail("x@example.org", [alice], mail("eight bits: ü"), mail_options=["BODY=8BITMIME"])
    s.sendmail("jörg@example.org", [alice], mail("grüße"), mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    # Refusals do not end the session.
    refused(550, "5.1.1", lambda: s.sendmail("x@example.org", ["nobody@" + domain], mail("?")))
    refused(550, "5.7.1", lambda: s.sendmail("x@example.org", ["x@elsewhere.example"], mail("?")))
    assert s.verify(alice)[0] == 252
    assert s.noop()[0] == 250
    assert s.rset()[0] == 250

# 6: submission; 7: from the first octet in TLS.
with smtplib.SMTP(*at(submission)) as s:
    refused(530, "5.7.0", lambda: s.sendmail(bob, [alice], mail("?")))
    s.starttls(context=tls)
    refused(530, "5.7.0", lambda: s.sendmail(bob, [alice], mail("?")))
    s.user, s.password = bob, password
    s.auth("PLAIN", s.auth_plain)
    s.sendmail(bob, [alice], mail("submitted"))
    refused(553, "5.7.1", lambda: s.sendmail(alice, [alice], mail("?")))
    refused(550, "5.7.1", lambda: s.sendmail(bob, [alice], mail("?", "ceo@bank.example")))
with smtplib.SMTP_SSL(*at(submissions), context=tls) as s:
    try:
        s.login(bob, "wrong")
    except smtplib.SMTPAuthenticationError as error:
        assert error.smtp_code == 535
    else:
        raise AssertionError("a wrong password")
    s.login(bob, password)
    s.sendmail(bob, [alice], mail("submitted in TLS"))

    # 8: 50 MB in chunks of a megabyte. RFC 3030.
    lines = b"".join(b"line %010d %s\r\n" % (n, b"x" * 52) for n in range(700_000))
    message = mail("large") + lines
    assert len(message) > 48_000_000
    assert s.docmd("MAIL", f"FROM:<{bob}> SIZE={len(message)}")[0] == 250
    assert s.docmd("RCPT", f"TO:<{alice}>")[0] == 250
    for start in range(0, len(message), 1 << 20):
        chunk = message[start : start + (1 << 20)]
        last = " LAST" if start + len(chunk) == len(message) else ""
        s.send(b"BDAT %d%s\r\n" % (len(chunk), last.encode()) + chunk)
        code, text = s.getreply()
        assert code == 250, (code, text)
    # 9: and the session goes on.
    s.sendmail(bob, [alice], mail("after it"))

# 10, 11: LMTP, an answer for each recipient.
with smtplib.LMTP(lmtp) as s:
    s.sendmail("x@example.org", [alice], mail("by LMTP"))
    answers = s.sendmail("x@example.org", [alice, "nobody@" + domain], mail("for one of two"))
    assert list(answers) == ["nobody@" + domain], answers

print("the day is over")
