//! Request and reply formats: TensorFlow Serving, Open Inference Protocol, npy.
