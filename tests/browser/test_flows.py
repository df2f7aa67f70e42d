"""The app in a real browser: deep links, the URL, both themes."""

import urllib.error
import urllib.request

import numpy as np
import pytest

from tests.app.test_shell import page_names
from tests.browser.conftest import settle
from tests.pair_runs import build_encoded_run

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


def test_uploaded_embeddings_open_as_a_run(visit, tmp_path):
    file = tmp_path / "mine.npz"
    np.savez(file, h=np.random.default_rng(0).normal(size=(60, 8)), label=np.arange(60) % 3)
    page = visit("/")
    page.locator(".st-key-home-load_embeddings button").first.click()
    page.locator('.st-key-home-upload input[type="file"]').set_input_files(file)
    page.get_by_text("mine.npz").first.wait_for()
    page.locator(".st-key-home-import button").first.click()
    page.wait_for_function("location.search.includes('run=embeddings-1')")
    page.get_by_text("These embeddings came without pictures.").wait_for()


def test_an_encoder_file_is_prepared_in_its_own_process_and_opens(visit, runs_folder):
    file = next(build_encoded_run(runs_folder / "encoded").path.glob("checkpoints/*/model.safetensors"))
    page = visit("/")
    page.locator(".st-key-home-load_encoder button").first.click()
    path = page.get_by_label("Path of the checkpoint")
    path.fill(str(file))
    path.press("Enter")
    page.locator(".st-key-home-encoder-source input").click()
    page.get_by_role("option", name="Handwritten digits, 8×8").click()
    page.get_by_label("Name of the new run").fill("prepared")
    page.get_by_label("Name of the new run").press("Enter")
    page.locator(".st-key-home-prepare button:not([disabled])").first.click()
    page.wait_for_function("location.search.includes('run=prepared')", timeout=180_000)
    page.get_by_alt_text("map of").first.wait_for(timeout=60_000)
    assert (runs_folder / "prepared" / "embeddings" / "encoder.npz").exists()
