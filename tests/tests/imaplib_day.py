# One user's day with Python's imaplib: mailboxes, APPEND, FETCH, SEARCH, STORE, COPY, MOVE, EXPUNGE, and a mail
# that arrives while two sessions look.
import imaplib, smtplib, sys, time
from email.message import EmailMessage

host, port, user, password, mx = sys.argv[1:]
mx_host, mx_port = mx.rsplit(":", 1)
imaplib.Commands.setdefault("MOVE", ("SELECTED",))


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def session():
    m = imaplib.IMAP4(host, int(port))
    ok(m.login(user, password))
    return m


m = session()
capabilities = ok(m.capability())[0].decode().upper().split()
for capability in "IMAP4REV1 UIDPLUS MOVE IDLE LITERAL+ SPECIAL-USE NAMESPACE ID ENABLE CHILDREN LIST-EXTENDED LIST-STATUS".split():
    assert capability in capabilities, (capability, capabilities)
ok(m.create("Projects"))
ok(m.create("Projects/2026/&AOQ-rzte"))
names = b"\n".join(ok(m.list()))
assert b'"/"' in names and b"Projects/2026/&AOQ-rzte" in names and b"\\HasChildren" in names, names
ok(m.subscribe("Projects"))
assert any(b"Projects" in line for line in ok(m.lsub('""', '"Projects%"')))

mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "J\u00f6rg <joerg@example.org>", user, "Gr\u00fc\u00dfe und ein Anhang"
mail["Message-ID"] = "<day.1@example.org>"
mail.set_content("Guten Tag,\n\nhier ist der Anhang.\n")
mail.add_alternative("<p>Guten Tag</p>", subtype="html")
mail.add_attachment(bytes(range(256)) * 40, maintype="application", subtype="octet-stream", filename="daten.bin")
octets = mail.as_bytes().replace(b"\n", b"\r\n")
answer = m.append("Projects", "(\\Seen $Work)", imaplib.Time2Internaldate(1700000000), octets)
assert b"APPENDUID" in answer[1][0], answer

ok(m.select("Projects"))
assert m.response("UIDVALIDITY")[1][0].isdigit() and m.response("UIDNEXT")[1] == [b"2"]
data = ok(m.fetch("1", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
assert data[0][1] == octets, "what was appended is what is fetched"
assert b"\\Seen" in data[0][0] + data[1] and b"$Work" in data[0][0] + data[1], data
assert str(len(octets)).encode() in data[0][0]
structure = ok(m.fetch("1", "(BODYSTRUCTURE)"))[0].decode()
for piece in ['"mixed"', '"alternative"', '"plain"', '"html"', '"octet-stream"', '"daten.bin"']:
    assert piece in structure.lower(), (piece, structure)
envelope = ok(m.fetch("1", "(ENVELOPE)"))[0].decode()
assert "day.1@example.org" in envelope and "joerg" in envelope, envelope
import base64
part = ok(m.fetch("1", "(BODY.PEEK[2])"))[0][1]
assert base64.b64decode(part) == bytes(range(256)) * 40
part = ok(m.fetch("1", "(BODY.PEEK[1.1])"))[0][1]
assert b"hier ist der Anhang" in part
assert ok(m.fetch("1", "(BODY.PEEK[]<10.20>)"))[0][1] == octets[10:30]
header = ok(m.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT MESSAGE-ID)])"))[0][1]
assert header.lower().count(b"subject:") == 1 and b"day.1@" in header and b"From" not in header, header

for criteria, count in [
    (("ALL",), 1), (("SEEN",), 1), (("UNSEEN",), 0), (("KEYWORD", "$Work"), 1), (("FROM", "joerg"), 1),
    (("HEADER", "Message-ID", "day.1"), 1), (("BODY", '"ist der anhang"'), 1), (("TEXT", "nowhere"), 0),
    (("SINCE", "14-Nov-2023", "BEFORE", "16-Nov-2023"), 1), (("LARGER", "1000"), 1), (("SMALLER", "1000"), 0),
    (("OR", "SEEN", "DELETED", "NOT", "DRAFT"), 1), (("UID", "1:*"), 1),
]:
    assert len(ok(m.search(None, *criteria))[0].split()) == count, criteria
m.literal = "Gr\u00fc\u00dfe".encode()
assert ok(m.search("UTF-8", "SUBJECT"))[0] == b"1"

ok(m.store("1", "+FLAGS", "(\\Answered)"))
ok(m.store("1", "-FLAGS.SILENT", "(\\Seen)"))
assert b"\\Seen" not in ok(m.fetch("1", "(FLAGS)"))[0]
ok(m.fetch("1", "(BODY[TEXT])"))
assert b"\\Seen" in ok(m.fetch("1", "(FLAGS)"))[0], "reading marks as seen"
answer = m.copy("1", "Archive")
assert b"COPYUID" in answer[1][0], answer
typ, data = m.uid("MOVE", "1", "Trash")
assert typ == "OK", data
assert ok(m.search(None, "ALL"))[0] == b""
ok(m.select("Archive"))
assert b"$Work" in ok(m.fetch("1", "(FLAGS)"))[0], "keywords go along"

# A mail arrives while two sessions look at INBOX; both learn of it, one removes it, the other learns that.
other = session()
ok(m.select("INBOX"))
ok(other.select("INBOX"))
with smtplib.SMTP(mx_host, int(mx_port)) as smtp:
    smtp.sendmail("x@example.org", [user], b"Subject: now\r\n\r\nNow.\r\n")
for s in (m, other):
    deadline = time.monotonic() + 30
    while ok(s.noop()) is not None and s.untagged_responses.get("EXISTS", [b"0"])[-1] != b"1":
        assert time.monotonic() < deadline, "no EXISTS"
ok(m.store("1", "+FLAGS", "(\\Deleted)"))
assert ok(m.expunge()) == [b"1"]
ok(other.noop())
assert other.response("EXPUNGE")[1] == [b"1"]
assert ok(other.search(None, "ALL"))[0] == b""

ok(m.rename("Projects/2026", "Done"))
assert b"Done/&AOQ-rzte" in b"\n".join(ok(m.list()))
ok(m.delete("Done/&AOQ-rzte"))
ok(m.delete("Done"))
assert m.delete("INBOX")[0] == "NO"
assert m.select("Nowhere")[0] == "NO"
assert b"MESSAGES 1" in ok(m.status("Trash", "(MESSAGES UNSEEN UIDNEXT)"))[0]
ok(m.close()) if m.state == "SELECTED" else None
m.logout()
other.logout()
print("the day is over")
