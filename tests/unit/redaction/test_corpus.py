"""Shapes in which secrets stand, and lines that only look like them."""

from __future__ import annotations

import random
import re
import string
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from diagkit.redaction.text import redact_text

LETTERS = string.ascii_letters + string.digits
BACK = "\n(Background on this error at: https://sqlalche.me/e/20/3o7r)"
# `{S}` is the secret.
SHAPES = r"""
postgresql://app:{S}@db/app
postgresql://app:ab/{S}@db/app
postgresql://app:ab@{S}@db/app
postgresql://app:ab'{S}@db/app
postgresql://app:ab"{S}@db/app
postgresql://app:ab<{S}@db/app
mongodb://u1:{S}@h1,h2/app
{"url": "postgresql:\/\/app:{S}@db\/app"}
dsn=postgresql%3A%2F%2Fapp%3A{S}%40db%2Fapp
app:{S}@tcp(db:3306)/app
jdbc:oracle:thin:scott/{S}@db:1521:orcl
jdbc:sqlserver://db;user=sa;password={S};x=1
host=db password='ab\' {S}' dbname=x
https://{S}@github.com/a/b.git
DB_PASS={S}
pass={S}
passphrase={S}
SECRET_KEY={S}
SECRET_KEY_BASE={S}
ENCRYPTION_KEY={S}
SIGNING_KEY={S}
JWT_KEY={S}
AccountKey={S}==;EndpointSuffix=core
password1={S}
PASSWORD_2={S}
password_hash=$2b$12${S}
passwords=['{S}','x']
user[password]={S}
user%5Bpassword%5D={S}
session_id={S}
session={S}
PHPSESSID={S}
connect.sid=s%3A{S}
https://x.example/c?sv=2020&sig={S}%3D&se=1
GET /maps?signature={S}&b=1
GET /x?X-Amz-Signature={S}{S}
GET /maps?key={S}&b=1
GET /maps?auth={S}&b=1
GET /cb?code={S}&state=1
"auth": "{S}"
com.example.application.configuration.database.primary.settings.password={S}
-Password {S}
psql --password {S}
kubectl --token {S}
sshpass -p {S} ssh
machine x login bob password {S}
{"password": "ab\"{S}"}
{"event": "{\"password\": \"{S}\"}"}
{"event": "login password=\"{S}\""}
&quot;password&quot;: &quot;{S}&quot;
&#x27;password&#x27;: &#x27;{S}&#x27;
password=&#34;{S}&#34;
password%3D{S}
/login%3Faccess_token%3D{S}%26x%3D1
{"password\u0022: \u0022{S}"}
{b'password': b'{S}'}
password=r'ab {S}'
password=SecretStr('{S}')
password='''{S}'''
"password": ["{S}"]
"token": {"value": "{S}"}
password=ab,{S}
password=ab;{S}
password=ab&{S}
password=ab){S}
password=ab]{S}
password=ab}{S}
password=ab'{S}
password=[redacted:{S}
password=[redacted:secret]{S}
password="[redacted: {S}"
Cookie: a="1"; session={S}
Cookie: a=it's; session={S}
set_cookie: sid={S}
cookies={'sid': '{S}'}
Authorization: {S}
Authorization: Token {S}
Authorization: ApiKey {S}
Authorization: Bearer ab:{S}
Authorization: Digest username="bob", response="{S}"
Authorization: AWS4-HMAC-SHA256 Credential=x/2025, Signature={S}
[(b'authorization', b'Bearer {S}')]
[(b'x-api-key', b'{S}')]
[(b'cookie', b'sid={S}')]
('password', '{S}')
{"name": "password", "value": "{S}"}
{"name": "Cookie", "value": "sid={S}"}
<add key="password" value="{S}"/>
<password>{S}</password>
CREATE USER bob IDENTIFIED BY '{S}'
ALTER ROLE bob WITH PASSWORD '{S}'
Key (lower(email::text), org)=({S}, 3) already exists.
Key (a)=(x (y) {S}) already exists.
key (a, b)=(1, {S}) exists
Key (a, b)=(1, {S}) conflicts with existing key (a, b)=(1, {S}x).
Key (a)=(x (y) {S}
Failing row contains (7, (a) b, {S}, null).
Failing row contains (7, a(b), {S}
Duplicate entry '{S}' for key 'users.email'
DETAIL:  parameters: $1 = '{S}', $2 = '5'
[generated in 0.00012s] ('{S}', 1)
[cached since 0.5s ago] {'a': '{S}'}
[raw sql] ('{S}',)
Failing row contains (7, password=x, {S}).
Failing row contains (7, postgresql://a:b@c, {S}).
{"frames":[{"name":"f","locals":{"password":"hunter2","name":"{S}"}}]}
"locals": {"x": {"y": "{S}"}, "z": "{S}"}
{"e": "{\"locals\": {\"x\": \"{S}\"}}"}
"vars": {"x": "{S}"}
    │ │  └ '{S}'
[type=int_parsing, input_value='{S}', input_type=str]
ConnectRecord(addr=('h',1), user='{S}')
bob\x1b[0m, password\x1b[0m=\x1b[35m{S}
password^[[0m=^[[35m{S}
wss://x.example: whsec_{S}{S}
npm_{S}{S}
pypi-{S}{S}{S}
SG.{S}.{S}{S}
xapp-1-{S}
https://hooks.slack.com/services/T00/B00/{S}
ya29.{S}
GOCSPX-{S}
hf_{S}{S}
hvs.{S}{S}
glrt-{S}
lin_api_{S}{S}
sq0atp-{S}
123456789:AA{S}{S}
x=%22eyJhbGciOiJI.eyJzdWIi.{S}%22
eyJhbGciOiJkaXIifQ..hijklmnop.opqrstu.{S}
AKIA2E0A8F3B244C9986 {S}{S}
""".strip().splitlines()
LONGER = (
    "\x1b[36mpassword\x1b[0m=\x1b[35m{S}\x1b[0m",
    "pass\u200bword={S}",
    "pass\u00adword={S}",
    "password\u202e={S}",
    "password\x00={S}",
    "password:\n  {S}\nother: 1",
    "password: |\n  {S}\n",
    "password=\\\n  {S}",
    'name="password"\r\n\r\n{S}\r\n',
    "DETAIL:  Failing row contains (7, abc\n{S}, null).",
    "DETAIL:  Key (a)=(x\n{S}) already exists.",
    "[parameters: ('postgresql://a:b@c', '{S}')]" + BACK,
    "[parameters: {'password': 'x', 'name': '{S}'}]" + BACK,
    "[parameters: ('bob@example.com', '{S}')]" + BACK,
    "[parameters: ['a]\n{S}']]" + BACK,
    '"locals": {\n  "password": "x",\n  "name": "{S}"\n}',
    "╭──── locals ────╮\n│ password = 'x' │\n│ x = '{S}' │\n╰────────╯",
    "┌──── locals ────┐\n│ x = '{S}' │\n└────────┘",
    "+---- locals ----+\n| x = '{S}' |\n+--------+",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc\n{S}\n-----END PGP PRIVATE KEY BLOCK",
    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{S}\n---- END SSH2",
    "-----BEGIN PRIVATE KEY-----\n" + "A" * 21_000 + "\n{S}\n-----END PRIVATE KEY-----",
    "{S}\n-----END PRIVATE KEY-----",
)
PEOPLE = {
    "bob.lee@example.com_x": "bob.lee@example.com",
    "bob@пример.рф": "bob@пример.рф",
    "email=bob%2Bx%40example.com": "bob%2Bx%40example.com",
    "bob&#64;example.com": "bob&#64;example.com",
    "a" * 70 + "@example.com": "a" * 70,
    "client-81.2.69.142 x": "81.2.69.142",
    "ip_81.2.69.142 x": "81.2.69.142",
    "ip%3D81.2.69.142": "81.2.69.142",
    "81.2.69.142-81.2.69.150": "81.2.69.1",
    "2a00:1450:4001:82a::200e: refused": "2a00:1450",
    "from 2a00:1450:4001:82a:1:2:3:4:443": "2a00:1450",
    "::ffff:5102:458e": "5102:458e",
    "host=81.2.69.142": "81.2.69.142",
    "PAN5500005555555559": "5500005555555559",
    "pan_5500005555555559_x": "5500005555555559",
    "5500.0055.5555.5559": "5500.0055.5555.5559",
    "5500005555555559.00 EUR": "5500005555555559",
    "card 2223003122003222": "2223003122003222",
}
ORDINARY = r"""
Basic authentication required
basic functionality test passed
connect host=localhost port=5432
connect host=db port=5432
connect host=127.0.0.1 port=5432
host=api-7d9f-abc pod=x
task sk-learn-contrib-extension-modules
sk_test_suite_runner_started
pk_live_migration_started
PWD=/home/app
OLDPWD=/srv
max_token=4096
prompt_token: 12
tokens=512 max_tokens=4096
token=settings.token
password=self.password,
password: str = None
def connect(host, password=None, token=None):
password=***
password=[FILTERED]
password: <hidden>
password = os.environ["DB_PASSWORD"]
password=${DB_PASSWORD}
invalid token: expected ')' at line 5
SyntaxError: unexpected token: <EOF>
passwd: all authentication tokens updated
credentials: same-origin
cookie = SimpleCookie()
primary_key=id, foreign key: users.id
celery@worker-1.default.svc ready
systemd: getty@tty1.service
react@18.2.0
git@github.com:org/repo.git
OpenSSL 3.0.13.1
Firefox/115.0.2.1
224.0.0.1
[parameters: ()]
locals: {}
https://x.example:8000?next=a@b
""".strip().splitlines()


def make(draw: random.Random) -> str:
    # A digit, both cases, and 20 characters: as tokens have.
    return "Zq7" + "".join(draw.choices(LETTERS, k=17))


@pytest.mark.parametrize("shape", [*SHAPES, *LONGER])
@pytest.mark.parametrize("seed", [7, 20261128])
@pytest.mark.parametrize("around", ["{}", "x {}", "a.b: {} and so on\nnext line"])
def test_no_secret_survives(shape: str, seed: int, around: str) -> None:
    secret = make(random.Random(f"{seed}{shape}"))
    done = redact_text(around.format(shape.replace("{S}", secret)))
    assert secret not in done.text
    assert done.count > 0


@pytest.mark.parametrize("text", PEOPLE)
def test_nobody_is_named(text: str) -> None:
    assert PEOPLE[text] not in redact_text(text).text


@pytest.mark.parametrize("line", ORDINARY)
def test_what_only_looks_like_a_secret_stays(line: str) -> None:
    assert redact_text(line) == type(redact_text(""))(line, 0)


def test_a_secret_in_parameters_in_variables_takes_all_with_it() -> None:
    text = (
        '[{"name": "f", "locals": {"error": "\'[parameters: (1, password=x)]\'", '
        '"who": "\'Sam Lee\'"}}]'
    )
    done = redact_text(text)
    assert "Sam Lee" not in done.text


PIECES = st.lists(
    st.sampled_from(SHAPES + list(LONGER) + ORDINARY + list(PEOPLE)), max_size=4
)
KEYS = st.none() | st.text(min_size=1, max_size=4)


@given(PIECES, st.sampled_from(["", " ", "\n", ", "]), st.integers(0, 400), KEYS)
def test_redacting_again_finds_nothing(
    pieces: list[str], between: str, cut: int, key: str | None
) -> None:
    text = between.join(pieces).replace("{S}", make(random.Random(cut)))[cut // 4 :]
    once = redact_text(text, key).text
    assert redact_text(once, key) == type(redact_text(""))(once, 0)


@given(st.text(alphabet=" abcdefghilmnopqrt\x1b[0m\u200b\n.,;", max_size=80))
def test_text_without_needles_is_the_same_text(text: str) -> None:
    if not re.search(r"pass|token|bearer|basic|login|locals", text):
        assert redact_text(text).text == text


@given(st.sampled_from(SHAPES[:60]), st.text(LETTERS, min_size=8), KEYS)
@settings(max_examples=50)
def test_one_value_has_one_pseudonym(shape: str, value: str, key: str | None) -> None:
    text = shape.replace("{S}", f"Zq7{value}")
    assert redact_text(text, key) == redact_text(text, key)


def test_a_person_is_one_person_wherever_it_stands() -> None:
    texts = (
        "x Sam@Example.net y",
        "user='sam@example.net'",
        "Key (m)=(sam@example.net)",
    )
    names = {
        re.findall(r"\[redacted:.*?\]", redact_text(t, "k").text)[0] for t in texts
    }
    assert len(names) == 1
    hosts = ("2a00:1450:4001:82a::200e", "2A00:1450:4001:082a:0:0:0:200E")
    assert len({redact_text(host, "k").text for host in hosts}) == 1
    cases = ("token=Zq7xWv9K", "token=zq7xwv9k")
    assert len({redact_text(case, "k").text for case in cases}) == 2
    assert redact_text("token=Zq7xWv9K", "").text == "token=[redacted:secret]"


HOSTILE = r"""
Key (|Key (a)=(|eyJaaaaa-|-----BEGIN PRIVATE KEY-----|Failing row contains (|a://
password='|password="x |password=|"locals": {'|"locals": {|\|─ locals ─╮ |ab://u:p
[parameters: ] |(b'|<password>|--password |authorization: |cookie: a; |4444-|1.1.1.1.
2a00:|user=|a@a.|%40a|sk-a|gh_|input_value=|curl |bearer |'locals': {'|] |token: [
""".strip().replace("\n", "|")


@pytest.mark.parametrize("piece", sorted(set(HOSTILE.split("|")) - {""}))
@pytest.mark.parametrize("end", ["", "\n"])
def test_hostile_text_takes_linear_time(piece: str, end: str) -> None:
    text = (piece + end) * (200_000 // len(piece + end))
    start = time.process_time()
    redact_text(text)
    # Quadratic work on these would take minutes.
    assert time.process_time() - start < 3


# In the bundled logs: how many lines change, and what is found in how many.
CHANGED = {
    "pool_pressure/app.log": (0, {}),
    "tenant_dashboard/api.log": (16, {"parameters": 12, "row": 4}),
    "tenant_dashboard/console.log": (11, {"parameters": 11, "row": 2}),
    "two_stacks/backend.log": (0, {}),
}
SAMPLES = Path(__file__).parents[3] / "data_samples"


def test_what_the_bundled_logs_lose_is_known() -> None:
    found = {}
    for path in sorted(SAMPLES.glob("*/*.log")):
        kinds: Counter[str] = Counter()
        changed = 0
        for line in path.read_text(encoding="utf-8").splitlines():
            text = redact_text(line).text
            changed += text != line
            kinds.update(set(re.findall(r"\[redacted:(\w+)", text)))
        found[f"{path.parent.name}/{path.name}"] = (changed, dict(kinds))
    assert found == CHANGED
