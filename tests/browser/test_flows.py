"""The app in a real browser: deep links, the URL, both themes."""

import urllib.error
import urllib.request

import pytest

from tests.app.test_shell import page_names
from tests.browser.conftest import settle

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", page_names())
def test_deep_link_to_each_page(visit, name, scheme):
    path = "/" if name == "home" else f"/{name}"
    page = visit(f"{path}?run=small&lang=zh", color_scheme=scheme)
    assert page.locator('[data-testid="stSidebarNav"]').count() == 1
    assert page.locator('[data-testid="stException"]').count() == 0
    assert "lang=zh" in page.url


def test_language_and_run_survive_a_page_switch(visit):
    page = visit("/?run=small&lang=zh")
    page.get_by_test_id("stSidebarNavLink").nth(2).click()
    page.wait_for_url("**/map*")
    settle(page)
    page.wait_for_function("location.search.includes('lang=zh') && location.search.includes('run=small')")


def test_switching_the_language_changes_page_and_url(visit):
    page = visit("/")
    page.get_by_test_id("stSidebar").get_by_text("中文", exact=True).click()
    page.wait_for_function("location.search.includes('lang=zh')")
    page.get_by_test_id("stSidebarNav").get_by_text("首页").wait_for()


def test_foreign_hosts_are_refused(server):
    for path in ("/", "/_stcore/health"):
        request = urllib.request.Request(server + path, headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        assert refused.value.code == 400
