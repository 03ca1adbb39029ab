from threading import Thread

import numpy as np
import pytest

from faces.filming import astronaut, constant_model
from vivant.errors import InputError
from vivant.faces.graph import Graph, packaged


def constant() -> Graph:
    boxes = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    return Graph(constant_model(boxes, np.array([[0.5]], np.float32)), "constant.onnx")


def test_outputs_come_in_the_graphs_order() -> None:
    graph = constant()
    boxes, logits = graph.run(np.zeros((1, 192, 192, 3), np.uint8))
    assert boxes.tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert logits.tolist() == [[0.5]]
    assert graph.outputs == {"boxes": (1, 2, 3), "logits": (1, 1)}


def test_threads_get_what_one_gets() -> None:
    graph = Graph(packaged("face_mesh.onnx"), "face_mesh.onnx")
    picture = np.ascontiguousarray(astronaut()[None, 19:211, 126:318])
    expected = graph.run(picture)[0]
    found: list[np.ndarray] = []
    threads = [Thread(target=lambda: found.append(graph.run(picture)[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(np.array_equal(landmarks, expected) for landmarks in found)


def test_damaged_file_is_told_by_its_name() -> None:
    whole = packaged("face_mesh.onnx")
    with pytest.raises(InputError, match=r"cut.onnx is not a usable graph: "):
        Graph(whole[: len(whole) // 2], "cut.onnx")


def test_file_that_does_not_ship_is_our_mistake() -> None:
    assert packaged("face_mesh.onnx")
    with pytest.raises(FileNotFoundError):
        packaged("nowhere.onnx")
