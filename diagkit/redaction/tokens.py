"""Tokens that are told by their form: what a vendor puts in front of them."""

from __future__ import annotations

from diagkit.redaction.shapes import Pattern, make_pattern as _p

# Not within a word, but behind %22 and the like.
EDGE = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-F][0-9A-F]))"
# The literal in front (in lower case), and the whole.
VENDORS = {
    "npm_": r"npm_[A-Za-z0-9]{30,}",
    "pypi-": r"pypi-[\w-]{40,}",
    "sg.": r"SG\.[\w-]{16,}\.[\w-]{30,}",
    "whsec_": r"whsec_[A-Za-z0-9+/=]{20,}",
    "ya29.": r"ya29\.[\w-]{20,}",
    "gocspx-": r"GOCSPX-[\w-]{20,}",
    "hf_": r"hf_[A-Za-z0-9]{30,}",
    "_v1_": r"do[opr]_v1_[0-9a-f]{40,}",
    "shpat_": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "hvs.": r"hvs\.[\w-]{20,}",
    "dapi": r"dapi[0-9a-f]{32}(?:-\d)?",
    "glsa_": r"glsa_[A-Za-z0-9]{30,}_[0-9a-fA-F]{8}",
    "lin_api_": r"lin_api_[A-Za-z0-9]{30,}",
    "sq0": r"sq0(?:atp|csp)-[\w-]{20,}",
    "age-secret-key-": r"AGE-SECRET-KEY-1[A-Z0-9]{50,}",
    ":aa": r"\d{8,10}:AA[\w-]{30,}",
    "key-": r"key-[0-9a-f]{32}(?!\w)",
}

TOKENS: tuple[Pattern, ...] = (
    _p(
        "jwt",
        "eyj",
        r"eyJ(?:(?<![A-Za-z0-9+/-]eyJ)|(?<=%[0-9A-F][0-9A-F]eyJ))[\w-]{5,4000}+"
        r"(?:\.[\w-]*+){1,4}",
    ),
    # The secret stands beside its id.
    _p(
        "aws_secret",
        "akia|asia",
        r"(?:AKIA|ASIA)[0-9A-Z]{16}[\s:,;\"'=/|]{1,5}"
        r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])",
    ),
    _p("aws_key", "akia|asia", rf"{EDGE}(?:AKIA|ASIA)[0-9A-Z]{{16}}(?![0-9A-Za-z])"),
    _p(
        "slack_token",
        "xox|xapp-|hooks.slack",
        r"x(?:ox[abeoprs][.-](?:xox[bp]-)?|app-)[\w-]{8,}"
        r"|hooks\.slack\.com/(?:services|workflows)/(?P<secret>[\w/]{10,})",
    ),
    _p(
        "gitlab_token",
        "glpat-|glrt-|gldt-|glptt-|glcbt-|gloas-",
        r"gl(?:pat|rt|dt|ptt|cbt|oas)-[\w-]{16,}",
    ),
    _p(
        "github_token",
        "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_",
        r"(?:gh[pousr]|github_pat)_\w{20,}",
    ),
    _p(
        "stripe_key",
        "_live_|_test_",
        r"[srp]k_(?<![A-Za-z0-9].._)(?:live|test)_[A-Za-z0-9]{14,}(?!_)",
    ),
    _p("google_key", "aiza", r"AIza[\w-]{30,}"),
    # A key holds a long run with digits; a hyphened name does not.
    _p(
        "api_key",
        "sk-",
        r"\bsk-(?=[\w-]{0,99}\d)(?=[\w-]{0,99}[A-Za-z0-9]{16})[\w-]{20,}",
    ),
    _p("token", "|".join(VENDORS), rf"{EDGE}(?:{'|'.join(VENDORS.values())})"),
)
