# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.web.url import Url, led_to, parse_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://example.org", Url("http", "example.org", 80, "/")),
        ("https://example.org:8443/a?b=c#d", Url("https", "example.org", 8443, "/a?b=c")),
        ("HTTP://[2001:db8::1]:81/x", Url("http", "2001:db8::1", 81, "/x")),
    ],
)
def test_address_is_read(text: str, url: Url) -> None:
    assert parse_url(text) == url
    assert parse_url(str(url)) == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ftp://example.org/", "not a web address"),
        ("example.org", "not a web address"),
        ("http://", "not a host name"),
        ("http://a_/b c", "characters"),
        ("http://пример.kz/", "characters"),
        ("http://me:secret@example.org/", "must not hold a user"),
        ("http://[fe80::1%25eth0]/", "not a host name"),
        ("http://example.org:0/", "port 0 is outside"),
        ("http://example.org:99999/", "[Pp]ort"),
        ("http://example.org:x/", "[Pp]ort"),
        ("http://[::1/", "Invalid IPv6 URL"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_url(text)


@pytest.mark.parametrize(
    ("location", "host", "path"),
    [
        ("/login", "example.org", "/login"),
        ("//portal.test/x?y", "portal.test", "/x?y"),
        ("http://10.0.0.1/", "10.0.0.1", "/"),
        ("next", "example.org", "/a/next"),
        (" http://portal.test/a b ", "portal.test", "/a%20b"),
        ("http://portal.test/\xd0\xb1", "portal.test", "/%D0%B1"),
        ("http://\xd1\x82.\xd2\x9b\xd0\xb0\xd0\xb7:81/", "xn--r1a.xn--80ao21a", "/"),
    ],
)
def test_redirect_leads_from_where_it_was_read(location: str, host: str, path: str) -> None:
    there = led_to(parse_url("http://example.org/a/b"), location)
    assert (there.host, there.path) == (host, path)


@pytest.mark.parametrize(
    "location", ["http://%D0%B1" + "%D0%B1" * 900 + "/", "http://%FF.test/", "http://\xff/", "http://%00/"]
)
def test_a_host_that_cannot_be_named_leads_nowhere(location: str) -> None:
    with pytest.raises(ValueError, match=r"too long|decode|host name|characters"):
        led_to(parse_url("http://example.org/"), location)


@given(st.text(max_size=60) | st.from_regex(r"https?://[a-z:@\[\]0-9.%/?#-]{0,30}", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        url = parse_url(text)
    except ValueError:
        return
    assert parse_url(str(url)) == url
    assert not set("\r\n ") & set(f"{url.authority}{url.path}")
