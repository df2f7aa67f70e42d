"""The report as a file in a real browser without a network: it asks for nothing, breaks nothing, shows its pictures, and prints."""

import pytest

from simclr_core.report_html import render
from simclr_core.run_report import report_on
from tests.app.conftest import build_run

pytestmark = pytest.mark.browser


def test_the_page_opens_offline_in_both_schemes_and_prints(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render(report_on(build_run(tmp_path / "run"))))
    asked, said, inks = [], [], set()
    for scheme in ("light", "dark"):
        context = browser.new_context(offline=True, color_scheme=scheme)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(path.as_uri())
        assert page.locator("img").evaluate_all("all => all.length > 20 && all.every((i) => i.naturalWidth > 0)")
        assert page.locator("svg").count() == 6
        inks.add(page.locator("body").evaluate("e => getComputedStyle(e).color + getComputedStyle(e).backgroundColor"))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert len(page.pdf()) > 10_000
        context.close()
    assert {url for url in asked if not url.startswith("data:")} == {path.as_uri()}
    assert said == []
    assert len(inks) == 2
