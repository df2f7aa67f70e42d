"""The work sheet answered by doing: six exercises, graded stage by stage, on the printed matrix or on one of one's own."""

import streamlit as st

from pages.ui import sheetbook, sheetparts, teacher
from pages.ui.text import t

st.title(t("worksheet.title"))
st.markdown(t("worksheet.lead"))
book = sheetbook.opened()
if not teacher.hides("controls"):
    sheetbook.choose_sheet(book)
number = sheetbook.choose_exercise(book)

sheetparts.exercise(book, number)

if not teacher.hides("controls"):
    sheetbook.keep(book)
sheetbook.share(book)
