"""Views: what each operation takes away, what is left to match by, and a pipeline of one's own for 10,000 pictures."""

import streamlit as st

from pages.ui import viewdesign, viewguess, viewmatch, viewpair, viewrecipe
from pages.ui.text import t

st.title(t("views.title"))
st.markdown(t("views.lead"))
looked = viewpair.choose()
augment = viewrecipe.choose()
st.header(t("views.pair_title"))
viewpair.show(looked, augment)
found = viewmatch.measure(looked, augment)
st.header(t("views.guess.title"))
viewguess.show(looked, augment, found)
st.header(t("views.match_title"))
viewmatch.stored()
st.header(t("views.own_title"))
viewmatch.table(found, looked)
st.header(t("views.design_title"))
viewdesign.advice(found, looked, augment)
viewdesign.take(augment)
