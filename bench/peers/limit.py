"""How far atoll's figures are from what the machine could do: the operations of the work at the machine's peak, and the bytes that have to
move at the speed of its memory. Both are what atoll measured before its figures, the best of all rounds: another guest of the host that
slows the measurement of a peak makes it no slower."""

import statistics

ADAMW_BYTES = 30  # of a parameter: the weight, both moments and the gradient are read, all but the gradient are written, and bf16's copy


def best(machines: list[dict], products: str, bytes_of: str) -> tuple[float, float]:
    """The peak in operations a second of products in a precision, and the memory's in bytes a second."""
    return max(machine["peaks_flops"].get(products) or machine["peak_flops"] for machine in machines), max(machine[bytes_of] for machine in machines)


def of_training(result: dict, peak: float, bandwidth: float) -> float:
    return of_products(result, peak, bandwidth) + ADAMW_BYTES * result["parameters"] / bandwidth / (result["milliseconds"] / 1e3)


def of_products(result: dict, peak: float, bandwidth: float) -> float:
    return result["peak_share"] * own_peak(result) / peak


def of_prompt(result: dict, peak: float, bandwidth: float) -> float:
    return result["prompt_peak_share"] * own_peak(result) / peak


def of_decoding(result: dict, peak: float, bandwidth: float) -> float:
    return result["bandwidth_share"] * result["machine"]["peak_reading"] / bandwidth


def own_peak(result: dict) -> float:
    machine = result["machine"]
    return machine["peaks_flops"]["int8"] if result.get("products") == "int8" else machine["peak_flops"]


def share(kind: str, results: list[dict]) -> float | None:
    """The least time of the work over the time it took, in the median of the rounds; None where nothing of the kind is known."""
    if kind not in KINDS or not results:
        return None
    products = results[0].get("products") or results[0]["machine"]["precision"]
    peak, bandwidth = best([result["machine"] for result in results], products, "peak_reading" if kind == "decoding" else "peak_bandwidth")
    return statistics.median(KINDS[kind](result, peak, bandwidth) for result in results)


KINDS = {"training": of_training, "products": of_products, "prompt": of_prompt, "decoding": of_decoding}
