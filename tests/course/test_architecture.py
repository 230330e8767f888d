from kp.course.architecture import encoder_picture, sizes_through
from kp.method.networks import Encoder


def test_sizes_are_those_of_a_forward_pass():
    encoder = Encoder(4).train()
    sizes = sizes_through(encoder, [*encoder.down, encoder.bottom, *encoder.up, encoder.last], 64)
    assert sizes == [(4, 64), (8, 32), (16, 16), (32, 8), (32, 8), (16, 16), (8, 32), (1, 64)]
    assert encoder.training and not any(part._forward_hooks for part in encoder.modules())


def test_the_picture_names_what_goes_in_and_what_comes_out():
    words = [text.get_text() for text in encoder_picture(Encoder(4), 64).axes[0].texts]
    assert {"x", "3×64×64", "stage 4", "32×8×8", "y", "1×64×64"} <= set(words)
