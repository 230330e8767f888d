import torch

from kp.own_video.lessons import outlines


def test_an_outline_is_white_where_a_frame_is_not_black():
    frames = torch.zeros(2, 8, 8, 3, dtype=torch.uint8)
    frames[:, 2:6, 2:5] = torch.tensor([9, 0, 0])  # dark trousers are a subject, too
    seen = outlines(frames, size=4)
    assert seen.shape == (2, 1, 4, 4)
    assert seen[0, 0].tolist() == [[-1, -1, -1, -1], [-1, 1, 0, -1], [-1, 1, 0, -1], [-1, -1, -1, -1]]
