"""The page at /docs, for people: what /docs.json says, in page/docs.html."""

import json
import re
from collections.abc import Iterable
from html import escape
from itertools import groupby
from string import Template

from serving import errors, lines
from serving.contract import MAX_BATCH, MAX_BODY_BYTES, MAX_HEADER_BYTES
from serving.schema import Answer, Json

NUMBERS = re.compile(r"\[([-\d\s.,e]*)\]")
CODE = re.compile(r"`(.*?)`")
LIMITS = (
    f"A body may have {MAX_BODY_BYTES:,} bytes, the headers {MAX_HEADER_BYTES:,}, and a batch {MAX_BATCH:,} images. How"
    " large a picture may be depends on what it is: see POST /predict."
)


def page(template: str, document: Json) -> bytes:
    """The page, made of its ``template`` and the service's OpenAPI ``document``."""
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    entries = sorted(errors.catalogue(), key=lambda entry: (entry.status, entry.code))
    filled = {
        "contents": "".join(
            f'<li><a href="#{one["operationId"]}"><code>{path}</code></a></li>' for _, path, one in operations
        ),
        "answer": escape(written(Answer.examples["digit"])),
        "languages": "".join(map(_language, (lines.SHELL, lines.PYTHON, lines.JAVASCRIPT))),
        "endpoints": "".join(_endpoint(*operation) for operation in operations),
        "error": escape(written(errors.NOT_AN_IMAGE().body("0123456789abcdef" * 2))),
        "errors": "".join(
            _error(status, code, [entry(*entry.example).message for entry in alike])
            for (status, code), alike in groupby(entries, key=lambda entry: (entry.status, entry.code))
        ),
        "limits": escape(LIMITS),
    }
    return Template(template).substitute(filled).encode()


def written(value: object) -> str:
    """JSON for people: indented, but a list of numbers on one line."""
    return NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", json.dumps(value, indent=2))


def _language(name: str) -> str:
    checked = " checked" if name == lines.SHELL else ""
    return f'<label><input type="radio" name="language" value="{name}"{checked}> {name}</label>'


def _endpoint(method: str, path: str, operation: Json) -> str:
    name = operation["operationId"]
    body = operation.get("requestBody", {}).get("content", {})
    answer = operation["responses"]["200"]["content"]
    refusals = sorted(status for status in operation["responses"] if status != "200")
    asked = [one["name"] for one in operation.get("parameters", [])]
    facts = {"In the query": _codes(asked), "Takes": _codes(body), "Gives": _codes(answer), "Errors": _codes(refusals)}
    terms = "".join(f"<dt>{term}</dt><dd>{codes}</dd>" for term, codes in facts.items() if codes)
    samples = "".join(
        f'<figure class="lines" data-language="{one["lang"]}"><figcaption>{one["lang"]}</figcaption>'
        f'<pre tabindex="0" role="region" aria-label="{method} {path} in {one["lang"]}">'
        f"<code>{escape(one['source'].rstrip())}</code></pre></figure>"
        for one in operation["x-codeSamples"]
    )
    about = f"<p>{_prose(operation['description'])}</p>" if operation["description"] else ""
    return (
        f'<article id="{name}" aria-labelledby="title-{name}"><h3 id="title-{name}"><code><b>{method}</b> {path}</code>'
        f"</h3><p>{_prose(operation['summary'])}</p>{about}<dl>{terms}</dl>{samples}</article>"
    )


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"<code>{escape(text)}</code>" for text in texts)


def _prose(text: str) -> str:
    return CODE.sub(r"<code>\1</code>", escape(text))


def _error(status: int, code: str, messages: list[str]) -> str:
    said = "".join(f"<p>{escape(message)}</p>" for message in messages)
    return f"<tr><td>{status}</td><td><code>{code}</code></td><td>{said}</td></tr>"
