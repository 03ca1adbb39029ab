"""Times one look of a live stream with `lite`, beside two small networks.

    make bench
    .venv/bin/python benchmarks/stream.py [--model CARD] [--seconds 30] [--runtimes onnx openvino]

A look is what `Stream.push` does with a frame: find or follow the face, measure it, cut, one frame
through the backbone, the heads, a verdict. The yardstick are two networks of 80x80 pixels with the
sizes of MiniFASNetV2 (Silent-Face runs two such a frame), with random weights, in ONNX Runtime on
as many threads: the pair takes turns with the stream. benchmarks/README.md keeps results.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from vivant.bench.film import film
from vivant.runtimes.opening import open_runner
from vivant.session.session import STARTER, Session
from vivant.session.stream import Stream

SIDE = 80
FIRST = 32
STAGES = (  # Inner and outer width of each block; the first of a stage halves the side.
    ((103, 64), (13, 64), (13, 64), (13, 64), (13, 64)),
    ((231, 128), (231, 128), (52, 128), (26, 128), (77, 128), (26, 128), (26, 128)),
    ((308, 128), (26, 128), (26, 128)),
)


def small_network(generator: np.random.Generator) -> tuple[ModelProto, float]:
    """Blocks of the sizes of MiniFASNetV2's, with PReLUs, and their multiply-adds in 1e9."""
    nodes: list[NodeProto] = []
    weights: list[TensorProto] = []
    macs = 0
    last, channels, side = "x", 3, SIDE

    def weight(values: np.ndarray) -> str:
        name = f"w{len(weights)}"
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def conv(out: int, kernel: int, stride: int = 1, groups: int = 1, *, act: bool = True) -> None:
        nonlocal last, channels, side, macs
        shape = (out, channels // groups, kernel, kernel)
        values = generator.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        name = f"c{len(nodes)}"
        nodes.append(
            helper.make_node(
                "Conv", [last, weight(values)], [name], pads=[kernel // 2] * 4,
                strides=[stride] * 2, group=groups,
            )
        )  # fmt: skip
        side = -(-side // stride)
        macs += int(np.prod(shape)) * side * side
        last, channels = name, out
        if act:
            slopes = weight(np.full((out, 1, 1), 0.25))
            nodes.append(helper.make_node("PRelu", [last, slopes], [f"p{len(nodes)}"]))
            last = nodes[-1].output[0]

    conv(FIRST, 3, 2)
    conv(FIRST, 3, 1, FIRST)
    for blocks in STAGES:
        for number, (inner, outer) in enumerate(blocks):
            before = last
            conv(inner, 1)
            conv(inner, 3, 2 if number == 0 else 1, inner)
            conv(outer, 1, act=False)
            if number:
                nodes.append(helper.make_node("Add", [before, last], [f"a{len(nodes)}"]))
                last = nodes[-1].output[0]
    conv(512, 1)
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)],
        weights,
    )
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10), macs / 1e9


def pair(num_threads: int) -> tuple[Callable[[], None], float]:
    """Runs two such networks, and what one of them costs in 1e9 multiply-adds."""
    generator = np.random.default_rng(0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.add_session_config_entry(
        "session.force_spinning_stop", "1"
    )  # Not into the stream's time.
    sessions, gmacs = [], 0.0
    for _ in range(2):
        model, gmacs = small_network(generator)
        sessions.append(
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        )
    picture = generator.normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)

    def run() -> None:
        for session in sessions:
            session.run(None, {"x": picture})

    return run, gmacs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=STARTER)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--runtimes", nargs="+", default=["onnx", "openvino"])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    run_pair, gmacs = pair(arguments.threads)
    run_pair()
    for runtime in arguments.runtimes:
        runner = open_runner(arguments.model, runtime, arguments.threads)
        frames = list(film(arguments.seconds, runner.card.preprocessing.frame_interval_s))
        stream = Stream(Session(runner, isolated=False))
        looks, faces, network, pairs = [], [], [], []
        for frame in frames:
            started_s = time.perf_counter()
            verdict = next(stream.follow(iter([frame])), None)
            look_s = time.perf_counter() - started_s
            started_s = time.perf_counter()
            run_pair()
            pairs.append(time.perf_counter() - started_s)
            if verdict is not None:
                looks.append(look_s)
                faces.append(verdict.timings.faces_s)
                network.append(verdict.timings.network_s)
        ms = {
            name: 1e3 * median(values)
            for name, values in (
                ("look", looks), ("faces", faces), ("network", network), ("pair", pairs),
            )
        }  # fmt: skip
        print(
            f"{runner.card.model} on {runner.runtime}, {arguments.threads} threads, "
            f"{len(looks)} looks, medians: {ms['look']:.1f} ms a look, of it faces "
            f"{ms['faces']:.1f}, network {ms['network']:.1f}; mean {1e3 * np.mean(looks):.1f}; "
            f"the pair of {gmacs:.3f} GMAC each {ms['pair']:.1f} ms; ratio "
            f"{ms['look'] / ms['pair']:.2f}; {stream.counts}",
            flush=True,
        )


if __name__ == "__main__":
    main()
