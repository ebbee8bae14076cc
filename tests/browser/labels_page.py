"""A page of labels that would be links; run by Streamlit."""

import pandas as pd
import streamlit as st

from app.text import as_text, sentence

ADDRESSES = (
    "https://evil.example/a", "HTTP://EVIL.example", "www.evil.example", "WWW.evil.example",
    "a.b@evil.example", "mailto:a@evil.example", "xmpp:a@evil.example", "[x](https://evil.example)",
    "<https://evil.example>", "see(https://evil.example)", "*www.evil.example*",
)  # fmt: skip

if __name__ == "__main__":
    for number, address in enumerate(ADDRESSES):
        text = as_text(address)
        st.markdown(f"**{text}** and {text}")
        st.caption(sentence(f"Look at {address}, and at nothing else."))
        st.info(sentence(address))
        st.metric(text, "1")
        st.button(text, key=f"button-{number}")
        st.checkbox(text, key=f"box-{number}")
        st.expander(text).write("inside")
    st.dataframe(pd.DataFrame({"label": ADDRESSES}))
    st.write("all drawn")
