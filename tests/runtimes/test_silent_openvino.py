import subprocess
import sys


def test_nobody_is_told_that_it_runs() -> None:
    """OpenVINO's telemetry tells a server of every import."""
    code = (
        "import sys; import vivant.runtimes.openvino; "
        "loaded = [n for n, m in sys.modules.items() if 'telemetry' in n and m is not None]; "
        "print([n for n in loaded if not n.startswith('openvino.tools')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
