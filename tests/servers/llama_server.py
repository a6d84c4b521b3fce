"""Start llama.cpp's server with a model: what `tests/scorers/api/test_llama_cpp.py` asks.

    pip install "llama_cpp_python[server]"
    python tests/servers/llama_server.py model.gguf
    PERTURBX_LLAMA_URL=http://127.0.0.1:8011/v1 PERTURBX_LLAMA_MODEL=model.gguf \\
        pytest tests/scorers/api/test_llama_cpp.py
"""

import argparse
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a .gguf file")
    parser.add_argument("--port", type=int, default=8011)
    parser.add_argument("--python", default=sys.executable, help="one that has llama_cpp")
    options = parser.parse_args()
    print(f"http://127.0.0.1:{options.port}/v1", flush=True)
    # Prompts are scored only where the logits of all their tokens are kept.
    server = ["-m", "llama_cpp.server", "--logits_all", "true", "--n_ctx", "1024"]
    place = ["--host", "127.0.0.1", "--port", str(options.port), "--model", options.model]
    sys.exit(subprocess.run([options.python, *server, *place], check=False).returncode)


if __name__ == "__main__":
    main()
