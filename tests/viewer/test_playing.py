"""The whole script on a page without a browser: what is drawn, and what the controls do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from selflift.skeleton import H36M_17
from selflift.viewer import Person, render
from tests.viewer.test_html_page import EVIL, Document
from tests.viewer.test_script import similar

MakePerson = Callable[..., Person]
Play = Callable[..., Any]
SIDES = {"left": H36M_17.left, "right": H36M_17.right}


@pytest.fixture
def play(run_js: Callable[..., Any], fake_page: str) -> Play:
    """Open a page, do something there (JavaScript) and return what that returns."""

    def run(people: Sequence[Person], actions: str, **page: Any) -> Any:
        document = Document(render(people, H36M_17, fps=25.0, **page))
        (_, data), (_, script) = document.of("script")
        call = (
            "(data, script) => { $for('data').textContent = data; $for('speed').value = '1';"
            f"eval(script); nextFrame(); {actions} }}"
        )
        return run_js(call, data, script, source=fake_page)

    return run


def strokes(lines: list[dict[str, Any]], side: str) -> np.ndarray:
    """Ends of the drawn bones of a side, in the skeleton's order of bones: ``(bones, 2, 2)``."""

    def has(colour: str) -> bool:
        red, _, blue = (int(v) for v in re.findall(r"\d+", colour))
        return blue > red + 30 if side == "left" else red > blue + 30

    return np.array([[one["from"], one["to"]] for one in lines if has(one.get("colour", "0 0 0"))])


def bones_of(points: np.ndarray, side: str) -> np.ndarray:
    return np.array([points[[p, j]] for p, j in H36M_17.bones if j in SIDES[side]])


def in_order(found: np.ndarray) -> np.ndarray:
    """The same bones sorted by their places, so that drawing order doesn't matter."""
    return found[np.lexsort(found.reshape(len(found), -1).T)]


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_camera_view_looks_like_the_2d_input(
    play: Play, make_person: MakePerson, side: str
) -> None:
    person = make_person()
    lines = play(
        [person], "return [$for('scene').lines, $for('image').lines];", size_px=(1000, 1000)
    )
    scene, image = (strokes(one, side) for one in lines)
    truth = bones_of(person.pose_2d[0], side)
    assert len(scene) == len(image) == len(truth) == 6
    exact = in_order(image).reshape(-1, 2)
    assert similar(exact, in_order(truth).reshape(-1, 2)) < 0.01
    assert similar(in_order(scene).reshape(-1, 2), in_order(truth).reshape(-1, 2)) < 0.03


def test_a_person_who_faces_the_camera_has_the_left_on_the_right(
    play: Play, make_person: MakePerson
) -> None:
    for name in ("scene", "image"):
        lines = play([make_person()], f"return $for('{name}').lines;")
        assert strokes(lines, "left")[..., 0].mean() > strokes(lines, "right")[..., 0].mean() + 20


def test_people_are_drawn_at_their_frames_alone(play: Play, make_person: MakePerson) -> None:
    people = [make_person("Ana", frames=4), make_person("Ben", frames=4, first=6)]
    actions = """
      const seen = [];
      for (let step = 0; step < 10; step++) {
        $for('slider').value = step; $for('slider').fire('input'); nextFrame();
        seen.push(['scene', 'image'].map((id) => $for(id).lines.map((l) => l.text)
          .filter((text) => text && text !== "camera's side")));
      }
      return [Number($for('slider').max), seen];
    """
    last, seen = play(people, actions)
    ana, ben, none = ([["Ana"]] * 2, [["Ben"]] * 2, [[]] * 2)
    assert last == 9 and seen == [ana] * 4 + [none] * 2 + [ben] * 4


def test_missing_joints_are_not_drawn_and_filled_in_ones_not_solid(
    play: Play, make_person: MakePerson
) -> None:
    filled = np.zeros((12, 17), bool)
    filled[:, [12, 13]] = True
    # Upper arm and forearm: with dashes, which have butt ends, in 3D if filled in; absent in 2D.
    for flags, left in ((filled, [4, 4]), (None, [6, 4])):
        person = make_person(filled=flags)
        person.pose_2d[:, [12, 13]] = np.nan
        lines = play([person], "return [$for('scene').lines, $for('image').lines];")
        assert [len(strokes(one, "left")) for one in lines] == left
        assert [len(strokes(one, "right")) for one in lines] == [6, 6]


def test_the_space_bar_plays_at_the_videos_speed(play: Play, make_person: MakePerson) -> None:
    actions = """
      const now = [];
      press(' ');
      for (let ms = 1000; ms <= 1400; ms += 20) {
        nextFrame(ms);
        now.push($for('now').textContent);
      }
      press(' '); nextFrame(5000); nextFrame(6000);
      return [now, $for('now').textContent];
    """
    now, after = play([make_person(frames=100, first=50)], actions)
    assert now[0] == "frame 50 · 2.00 s" and now[-1] == "frame 60 · 2.40 s"
    assert after == now[-1]


def test_arrows_step_and_the_last_frame_is_followed_by_the_first(
    play: Play, make_person: MakePerson
) -> None:
    actions = """
      const now = [];
      const keys = [['ArrowRight'], ['ArrowRight', { shiftKey: true }], ['ArrowLeft'], ['End'],
        ['ArrowRight'], ['Home'], ['ArrowLeft']];
      for (const [key, more] of keys) {
        press(key, more);
        nextFrame();
        now.push($for('slider').value);
      }
      press('End'); press(' '); for (const ms of [0, 100]) nextFrame(ms);
      return [...now, $for('slider').value];
    """
    assert play([make_person(frames=40)], actions) == [1, 11, 10, 39, 39, 0, 0, 2]


def test_turning_by_hand_leaves_the_preset_and_a_double_click_comes_back(
    play: Play, make_person: MakePerson
) -> None:
    actions = """
      const states = [];
      const note = () => {
        nextFrame();
        const pressed = views.filter((v) => v.attributes['aria-pressed'] === 'true');
        const bones = $for('scene').lines.filter((line) => line.to);
        states.push([pressed.map((v) => v.dataset.view), bones.map((line) => line.from)]);
      };
      const scene = $for('scene');
      note();
      scene.fire('pointerdown', { pointerId: 1, clientX: 100, clientY: 100 });
      scene.fire('pointermove', { pointerId: 1, clientX: 180, clientY: 100, buttons: 1 });
      note();
      scene.fire('pointerup', { pointerId: 1 });
      scene.fire('pointermove', { pointerId: 1, clientX: 500, clientY: 100, buttons: 0 });
      note();
      scene.fire('dblclick'); note();
      views[1].fire('click'); note();
      return states;
    """
    start, turned, released, reset, side = play([make_person()], actions)
    assert released == turned
    assert start[0] == reset[0] == ["camera"] and turned[0] == [] and side[0] == ["side"]
    assert start[1] == reset[1] != turned[1] != side[1]


def test_dragging_with_shift_moves_the_picture(play: Play, make_person: MakePerson) -> None:
    actions = """
      const scene = $for('scene');
      const places = () => {
        nextFrame();
        return scene.lines.filter((line) => line.to).map((line) => line.to);
      };
      const before = places();
      scene.fire('pointerdown', { pointerId: 1, clientX: 100, clientY: 100 });
      scene.fire('pointermove', { pointerId: 1, clientX: 130, clientY: 80, shiftKey: true });
      return [before, places()];
    """
    before, after = play([make_person()], actions)
    np.testing.assert_allclose(np.array(after) - before, np.broadcast_to([30, -20], (16, 2)))


def test_keys_on_the_picture_choose_views_and_turn(play: Play, make_person: MakePerson) -> None:
    actions = """
      const chosen = () => {
        nextFrame();
        const pressed = views.filter((v) => v.attributes['aria-pressed'] === 'true');
        return pressed.map((v) => v.dataset.view);
      };
      const seen = [];
      for (const key of ['3', '2', 'a', '1', 'W', '0']) {
        press(key, { target: $for('scene') });
        seen.push(...chosen(), '');
      }
      press('2'); seen.push(...chosen());
      return seen.join(' ');
    """
    assert play([make_person()], actions) == "above  side   camera   camera  camera"


def test_pinching_and_the_wheel_zoom(play: Play, make_person: MakePerson) -> None:
    actions = """
      const scene = $for('scene');
      const size = () => {
        nextFrame();
        const x = scene.lines.filter((line) => line.to).map((line) => line.to[0]);
        return Math.max(...x) - Math.min(...x);
      };
      const sizes = [size()];
      scene.fire('wheel', { deltaY: -400, deltaMode: 0, clientX: 400, clientY: 300 });
      sizes.push(size());
      scene.fire('dblclick'); nextFrame();
      scene.fire('pointerdown', { pointerId: 1, clientX: 300, clientY: 300 });
      scene.fire('pointerdown', { pointerId: 2, clientX: 500, clientY: 300 });
      scene.fire('pointermove', { pointerId: 2, clientX: 700, clientY: 300 });
      sizes.push(size());
      return sizes;
    """
    sizes = play([make_person()], actions)
    np.testing.assert_allclose(sizes, np.array([1, np.exp(0.6), 2]) * sizes[0], rtol=1e-6)


def test_the_followed_person_stays_in_place(play: Play, make_person: MakePerson) -> None:
    actions = """
      const middle = () => {
        nextFrame();
        const x = $for('scene').lines.filter((line) => line.to).map((line) => line.to[0]);
        return x.reduce((a, b) => a + b, 0) / x.length;
      };
      $for('follow-whom').value = '0'; $for('follow-whom').fire('change');
      const places = [middle()];
      press('End'); places.push(middle());
      $for('follow-whom').value = '-1'; $for('follow-whom').fire('change');
      places.push(middle()); press('Home'); places.push(middle());
      return places;
    """
    people = [make_person(frames=60), make_person("Ben", frames=1, first=30)]
    first, last, still, back = play(people, actions)
    assert abs(first - last) < 30 < 100 < still - back


def test_hidden_people_are_not_drawn(play: Play, make_person: MakePerson) -> None:
    actions = """
      const box = $for('people').children[0].children[0].children[0];
      box.checked = false; box.fire('change'); nextFrame();
      return $for('scene').lines.map((line) => line.text).filter(Boolean);
    """
    shown = play([make_person("Ana"), make_person("Ben")], actions)
    assert "Ben" in shown and "Ana" not in shown


@pytest.mark.parametrize("text", EVIL)
def test_names_stay_text(play: Play, make_person: MakePerson, text: str) -> None:
    actions = """
      const label = $for('people').children[0].children[0];
      return [label.children[1], $for('follow-whom').children[0].text, $for('problem').textContent];
    """
    assert play([make_person(text)], actions) == [f" {text}", f"Follow {text}", ""]


@pytest.mark.parametrize(
    "person",
    [
        {"pose_2d": np.full((12, 17, 2), np.nan)},
        {"X_m": np.zeros((12, 17, 3))},
        {"X_m": np.full((12, 17, 3), 900.0), "pose_2d": np.full((12, 17, 2), 5e5)},
    ],
    ids=["nothing seen", "all at the camera", "far away"],
)
def test_odd_motion_is_drawn_without_an_error(
    play: Play, make_person: MakePerson, person: dict[str, Any]
) -> None:
    actions = """
      for (const view of views) { view.fire('click'); nextFrame(); }
      const lines = $for('scene').lines.filter((l) => l.to).flatMap((l) => [...l.from, ...l.to]);
      return [$for('problem').textContent, lines.every(Number.isFinite)];
    """
    assert play([make_person(**person)], actions) == ["", True]
