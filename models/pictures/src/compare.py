"""Prints the values that the test in compare.rs holds: scikit-image's measures (pip install scikit-image==0.26.0)."""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

y, x = np.mgrid[0:20, 0:24]
first = np.stack([x * 10 % 256, (x * x + 3 * y) % 256, y * 12 % 256], axis=2).astype(np.uint8)
noise = (x * 7 + y * 13) % 32
second = np.stack([(x * 10 + noise) % 256, (x * x + 3 * y) % 256, 255 - y * 12 % 256], axis=2).astype(np.uint8)
print("L1", np.abs(first.astype(float) - second).mean())
print("PSNR", peak_signal_noise_ratio(first, second, data_range=255))
# `full` gives the map without its own cropping; the mean is over places where the window fits, as by default.
print("SSIM", structural_similarity(first, second, channel_axis=2, gaussian_weights=True, sigma=1.5, win_size=11,
                                    use_sample_covariance=False, data_range=255))
