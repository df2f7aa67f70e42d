"""The map in a real browser: pictures at hand, lasso to gallery, 3-D, keyboard, legend, and no WebGL at all."""

import re

import numpy as np
import pytest

from simclr_core.maps import make_map
from simclr_core.tables import load_embeddings, save_map

pytestmark = pytest.mark.browser
READY = '.cloud[data-ready="true"]'
MAP2, MAP3 = "/map?run=small&map=pca-2d", "/map?run=small&map=pca-3d"
NO_WEBGL = """const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) { return /webgl/.test(kind) ? null : get.call(this, kind, ...more); };"""


@pytest.fixture(scope="module", autouse=True)
def maps(runs_folder):
    table = load_embeddings(runs_folder / "small/embeddings/encoder.npz")
    for dims in (2, 3):
        m = make_map(table.h, "pca", dims, index=table.index, label=table.label)
        save_map(m, runs_folder / f"small/maps/pca-{dims}d/map.parquet")


class Cloud:
    """The component on a page; its instance hangs on its own element."""

    def __init__(self, page) -> None:
        page.wait_for_selector(READY, timeout=60_000)
        self.page, self.root = page, page.locator(".cloud")
        self.root.scroll_into_view_if_needed()

    def js(self, code: str):
        return self.root.evaluate("(root) => { const cloud = root.cloud, scene = cloud.scene; return " + code + "; }")

    def at(self, i: int) -> tuple[float, float]:
        """Where point i is in the window."""
        box = self.page.locator(".over").bounding_box()
        x, y = self.js(f"[...scene.project().slice(3 * {i}, 3 * {i} + 2)]")
        return box["x"] + x, box["y"] + y

    def seen(self) -> int:
        """A point that is the topmost where it stands."""
        return self.js(
            "[...scene.index.keys()].find((i) => scene.pick(...scene.project().slice(3 * i, 3 * i + 2)) === i)"
        )

    def drag(self, corners, mode: str, **keys) -> None:
        self.page.click(f'[data-mode="{mode}"]')
        box = self.page.locator(".over").bounding_box()
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for p in points[1:]:
            self.page.mouse.move(*p, steps=4)
        self.page.mouse.up()

    def chosen(self) -> int:
        return self.js("scene.count")

    def painted(self) -> int:
        """Pixels of the canvas that are not empty."""
        self.page.wait_for_timeout(200)
        return self.js(
            """(() => { const c = document.createElement("canvas"); c.width = cloud.dots.width; c.height = cloud.dots.height;
            const g = c.getContext("2d"); cloud.painter.draw(scene, cloud.theme, cloud.dpr); g.drawImage(cloud.dots, 0, 0);
            return g.getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v > 0).length; })()"""
        )


def gallery_count(page, text: str) -> int:
    page.get_by_text(text).wait_for()
    page.wait_for_function("() => document.querySelectorAll('.gallery figure').length > 0")
    return page.locator(".gallery").last.locator("figure").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_points_and_their_pictures_are_drawn(visit, scheme):
    cloud = Cloud(visit(MAP2, color_scheme=scheme))
    assert cloud.root.get_attribute("data-painter") == "webgl"
    assert cloud.painted() > 2000
    cloud.page.wait_for_function(
        "() => performance.getEntriesByType('resource').filter((r) => r.name.includes('/api/thumb/')).length > 10"
    )


def test_hover_shows_the_picture_and_the_class(visit):
    cloud = Cloud(visit(MAP2))
    i = cloud.seen()
    cloud.page.mouse.move(*cloud.at(i))
    card = cloud.page.locator(".card")
    card.wait_for(state="visible")
    assert re.search(rf"image {cloud.js(f'scene.index[{i}]')}$", card.locator(".note").inner_text())
    assert card.locator(".name").inner_text() == str(cloud.js(f"scene.label[{i}]"))
    cloud.page.wait_for_function(
        "(img) => img.complete && img.naturalWidth === 96", arg=card.locator("img").element_handle()
    )
    cloud.page.mouse.move(5, 5)
    card.wait_for(state="hidden")


def test_small_answers_do_not_wait_on_a_kept_connection(server):
    """With Nagle's algorithm left on, every answer but the first takes some 40 ms longer."""
    import time
    from http.client import HTTPConnection

    host, port = server.removeprefix("http://").split(":")
    connection, times = HTTPConnection(host, int(port)), []
    for i in range(21):
        began = time.perf_counter()
        connection.request("GET", f"/api/thumb/small/{i}?v=1")
        assert connection.getresponse().read()
        times.append(time.perf_counter() - began)
    assert sorted(times)[10] < 0.03


def test_hover_is_quick(visit):
    """From the mouse to a decoded picture, for pictures not seen before; the median is told, the bound is generous."""
    cloud = Cloud(visit(MAP2))
    ms = cloud.js(
        """(async () => { const times = [];
        for (let i = 0; i < 40; i++) { const began = performance.now(); cloud.hover(i);
          await cloud.card.querySelector("img").decode(); times.push(performance.now() - began); }
        return times.sort((a, b) => a - b)[20]; })()"""
    )
    print(f"hover to picture: median {ms:.1f} ms")
    assert ms < 60


def test_lasso_brings_the_gallery_and_shift_and_alt_change_it(visit):
    page = visit(MAP2)
    cloud = Cloud(page)
    cloud.drag([(0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98)], "lasso")
    first = cloud.chosen()
    assert 0 < first < 300
    assert gallery_count(page, f"{first} of 300 chosen") == min(first, 48)
    cloud.root.scroll_into_view_if_needed()
    page.keyboard.down("Shift")
    cloud.drag([(0.5, 0.02), (0.98, 0.98)], "box")
    page.keyboard.up("Shift")
    assert cloud.chosen() > first
    page.keyboard.down("Alt")
    cloud.drag([(0.01, 0.01), (0.99, 0.99)], "box")
    page.keyboard.up("Alt")
    assert cloud.chosen() == 0


def test_a_click_brings_the_true_neighbours_and_lines(visit):
    page = visit(MAP2)
    cloud = Cloud(page)
    i = cloud.seen()
    page.mouse.click(*cloud.at(i))
    page.get_by_text(f"Nearest to image {i} in the original space").wait_for()
    page.wait_for_function("(root) => root.cloud.data.links.to.length === 10", arg=cloud.root.element_handle())
    page.locator(".over").focus()
    page.keyboard.press("Escape")
    page.get_by_text("Click a point to see its picture").wait_for()


def test_three_axes_are_drawn_and_turn(visit):
    cloud = Cloud(visit(MAP3))
    assert cloud.painted() > 1500
    before = cloud.js("[...scene.project()]")
    cloud.drag([(0.4, 0.5), (0.7, 0.6)], "move")
    assert not np.allclose(before, cloud.js("[...scene.project()]"), atol=5)
    assert cloud.painted() > 1500
    cloud.drag([(0.1, 0.1), (0.9, 0.9)], "box")
    assert cloud.chosen() > 100


def test_the_painted_place_is_the_computed_place(visit):
    """One class alone: every painted pixel is near a projected point, in 2-D and in 3-D."""
    for path in (MAP2, MAP3):
        cloud = Cloud(visit(path))
        worst = cloud.js(
            """(async () => { cloud.toggleClass(3, false); cloud.showPictures = false; cloud.draw();
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            const c = document.createElement("canvas"); c.width = cloud.dots.width; c.height = cloud.dots.height;
            const g = c.getContext("2d"); cloud.painter.draw(scene, cloud.theme, cloud.dpr); g.drawImage(cloud.dots, 0, 0);
            const s = scene.project(), d = g.getImageData(0, 0, c.width, c.height).data; let worst = 0;
            for (let p = 0; p < c.width * c.height; p++) if (d[4 * p + 3] > 128) { let near = Infinity;
              const x = (p % c.width) / cloud.dpr, y = Math.floor(p / c.width) / cloud.dpr;
              for (let i = 0; i < scene.n; i++) if (scene.label[i] === 3) near = Math.min(near, Math.hypot(s[3 * i] - x, s[3 * i + 1] - y));
              worst = Math.max(worst, near); }
            return worst; })()"""
        )
        assert 0 < worst < 12


def test_the_keyboard_reaches_everything(visit):
    page = visit(MAP2)
    cloud = Cloud(page)
    over = page.locator(".over")
    over.focus()
    zoom = cloud.js("scene.zoom")
    page.keyboard.press("+")
    assert cloud.js("scene.zoom") > zoom
    page.keyboard.press("0")
    assert cloud.js("scene.zoom") == 1
    page.keyboard.press("ArrowRight")
    assert cloud.js("scene.shift[0]") == -40
    page.keyboard.press("0")
    page.keyboard.press("Shift+ArrowRight")
    first = cloud.js("cloud.hovered")
    page.keyboard.press("Shift+ArrowRight")
    second = cloud.js("cloud.hovered")
    assert first >= 0
    assert second not in (-1, first)
    assert "image" in page.locator(".spoken").text_content()
    page.keyboard.press("Enter")
    page.get_by_text(f"Nearest to image {second} in the original space").wait_for()
    assert "300 points" in over.get_attribute("aria-label")
    assert all(b.get_attribute("aria-label") for b in page.locator(".bar button").all())


def test_the_legend_isolates_and_hides(visit):
    cloud = Cloud(visit(MAP2))
    button = cloud.page.locator(".legend button").nth(3)
    everything = cloud.painted()
    button.click()
    assert cloud.js("[...scene.hiddenClasses].sort().join()") == "0,1,2,4,5,6,7,8,9"
    assert 0 < cloud.painted() < everything
    cloud.page.locator(".legend button").nth(3).click()
    assert cloud.js("scene.hiddenClasses.size") == 0
    cloud.page.locator(".legend button").nth(2).click(modifiers=["Shift"])
    assert cloud.js("[...scene.hiddenClasses].join()") == "2"
    assert cloud.page.locator(".legend button").nth(2).get_attribute("aria-pressed") == "false"


def test_every_class_of_forty_eight_has_its_own_mark(visit):
    cloud = Cloud(visit(MAP2))
    shown = cloud.root.evaluate(
        "(root) => { const C = root.cloud; return Array.from({ length: 48 }, (_, c) => C.markOf(c)); }"
    )
    assert len(set(shown)) == 48


def test_without_webgl_the_map_is_painted_all_the_same(server, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(NO_WEBGL)
    page = context.new_page()
    for path in (MAP2, MAP3):
        page.goto(server + path)
        cloud = Cloud(page)
        assert cloud.root.get_attribute("data-painter") == "pixels"
        assert cloud.painted() > 1500
        cloud.drag([(0.1, 0.1), (0.9, 0.9)], "box")
        assert cloud.chosen() > 100
    context.close()


def test_colour_by_a_value_and_back(visit):
    page = visit(MAP2)
    cloud = Cloud(page)
    page.locator(".st-key-map-colour input").click()
    page.get_by_role("option", name="Distance to the nearest").click()
    page.wait_for_selector(".legend .ramp")
    assert cloud.js("scene.values.length") == 300
    low, high = cloud.js("scene.range")
    assert 0 <= low < high


def test_the_choice_is_there_after_a_look_at_another_page(visit):
    page = visit(MAP2)
    cloud = Cloud(page)
    cloud.drag([(0.1, 0.1), (0.6, 0.9)], "box")
    n = cloud.chosen()
    page.get_by_text(f"{n} of 300 chosen").wait_for()
    page.get_by_test_id("stSidebarNavLink").nth(0).click()
    page.wait_for_selector(".cloud", state="detached")
    page.go_back()
    page.get_by_text(f"{n} of 300 chosen").wait_for()
    assert Cloud(page).chosen() == n


def test_a_selection_sends_few_bytes(visit):
    page = visit(MAP2)
    sent: list[int] = []
    page.on("websocket", lambda ws: ws.on("framesent", lambda frame: sent.append(len(frame))))
    page.reload()
    cloud = Cloud(page)
    page.wait_for_timeout(500)
    sent.clear()
    cloud.drag([(0.02, 0.02), (0.98, 0.98)], "box")
    page.get_by_text("of 300 chosen").wait_for()
    assert sum(sent) < 5000


def test_a_map_that_cannot_be_fetched_says_why(visit):
    page = visit(MAP2)
    page.route("**/api/points/**", lambda route: route.fulfill(status=404, body="the map is gone"))
    page.reload()
    page.locator(".message").get_by_text("the map is gone").wait_for()


def choose(page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option).click()


def test_another_run_brings_its_own_pictures(visit):
    page = visit(MAP2)
    cloud = Cloud(page)
    cloud.page.wait_for_function("(root) => root.cloud.pictures.size", arg=cloud.root.element_handle())
    choose(page, "Run", "Bundled demo")
    page.wait_for_function("location.search === '' || !location.search.includes('run=small')")
    page.wait_for_function(
        "(root) => !root.isConnected || (root.cloud.data.map.startsWith('demo/') && root.dataset.ready === 'true')",
        arg=cloud.root.element_handle(),
    )
    cloud = Cloud(page)
    page.wait_for_function("(root) => root.cloud.pictures.size", arg=cloud.root.element_handle())
    assert all("/thumb/demo/" in src for src in cloud.js("[...cloud.pictures.values()].map((image) => image.src)"))


def test_a_map_that_did_not_come_is_asked_for_again(visit):
    page = visit(MAP2)
    cloud = Cloud(page)
    page.route("**/api/points/**/pca-3d*", lambda route: route.abort())
    choose(page, "Map", "3-D")
    page.get_by_text("The map could not be loaded").wait_for()
    assert cloud.js("cloud.scene") is None, "the points of the other map"
    page.unroute("**/api/points/**/pca-3d*")
    choose(page, "Colour by", "Length of the row")
    assert Cloud(page).js("scene.dims") == 3
