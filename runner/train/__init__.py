"""Fine-tuning through the Hugging Face Trainer."""
