"""How the checkout's flat packages become the one package ``pushscope`` that people install."""
