"""A button that copies a text with one click, as over plain HTTP too, where browsers hide their clipboard."""

import streamlit as st

_HTML = '<button type="button"></button> <span role="status"></span>'
_CSS = """
:host { display: block; }
button {
  font: inherit; color: var(--st-text-color); background: var(--st-background-color); cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: 0.35em 0.75em;
}
button:hover, button:focus-visible { color: var(--st-primary-color); border-color: var(--st-primary-color); }
span { font: inherit; color: var(--st-text-color); margin-left: 0.5em; }
"""
_JS = """
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button");
  const said = parentElement.querySelector("span");
  button.textContent = data.label;
  button.onclick = async () => {
    let copied = false;
    try {
      await navigator.clipboard.writeText(data.text);
      copied = true;
    } catch {
      const field = document.createElement("textarea");
      field.value = data.text;
      button.after(field);
      field.select();
      copied = document.execCommand("copy");
      field.remove();
      button.focus();
    }
    said.textContent = copied ? "Copied." : "Not allowed here: mark it and press Ctrl+C.";
  };
}
"""
_component = st.components.v2.component("squint_copy", html=_HTML, css=_CSS, js=_JS)


def copy_button(label: str, text: str, key: str) -> None:
    """Offer to copy a text.

    Parameters
    ----------
    label
        Of the button.
    text
        What is copied.
    key
        Of the button on the page.
    """
    _component(key=key, data={"label": label, "text": text}, height="content")
