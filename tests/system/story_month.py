# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story ends: the month is over and closed, and its invoice is what the plan says, each entry on it once."""

from __future__ import annotations

from tests.system import plan
from tests.system.processes import wait_for
from tests.system.story import SHOP, STUDIO, ZONE, Story, StoryFailed, must_be
from tests.system.visitor import Page


def close_month(story: Story) -> str:
    story.building.hand.turn_to(plan.MONTH_OVER)
    for door_id in (STUDIO, SHOP):
        story.door(door_id).press_exit()
    path = f"/months/{plan.MONTH}"
    page = wait_for(lambda: _ready_to_close(story, path), "every door complete past the month's end")
    page = story.staff.post(page, f"{path}/closing")
    story.made["invoice"] = next((to for to, _ in page.links if to.startswith("/invoices/")), "")
    if not story.made["invoice"]:
        raise StoryFailed(f"{page.path} shows no invoice: {page.words[:900]}")
    closed = story.staff.see(path)
    if any(f.action.endswith("/closing") for f in closed.forms()):
        raise StoryFailed("the closed month can be closed again")
    return f"closed {plan.MONTH_OVER.astimezone(ZONE):%d.%m.%Y}"


def _ready_to_close(story: Story, path: str) -> Page | None:
    """The month's page once no door is missing: closing needs no reason."""
    page = story.staff.see(path)
    ready = [f for f in page.forms() if f.action.endswith("/closing") and "left_open" not in f.values]
    return page if ready else None


def invoice(story: Story) -> str:
    path = story.made["invoice"]
    page = story.staff.see(path)
    for cents in (plan.NET_CENTS, plan.VAT_CENTS, plan.GROSS_CENTS):
        page.must_say(f"{cents / 100:.2f}")
    text = story.staff.see(f"{path}.txt?language=en")
    for cents in (plan.NET_CENTS, plan.VAT_CENTS, plan.GROSS_CENTS):
        text.must_say(f"{cents / 100:.2f}")
    pdf = story.staff.see(f"{path}.pdf?language=en")
    if not pdf.content.startswith(b"%PDF-"):
        raise StoryFailed(f"the invoice's PDF begins with {pdf.content[:20]!r}")
    story.invoices_to.mkdir(parents=True, exist_ok=True)
    story.invoice = story.invoices_to / f"invoice-{story.number('invoice')}.pdf"
    story.invoice.write_bytes(pdf.content)
    return (
        f"{plan.NET_CENTS / 100:.2f} + VAT {plan.VAT_CENTS / 100:.2f} = {plan.GROSS_CENTS / 100:.2f} €, as written in the plan"
    )


def each_once(story: Story) -> str:
    """Every line of the invoice opens to its cause, and no cause stands twice."""
    page = story.staff.see(story.made["invoice"])
    causes = [to for to, _ in page.links if to.startswith(("/entries/", "/bookings/"))]
    must_be(len(causes), len(set(causes)), "the number of different causes")
    must_be(len([to for to in causes if to.startswith("/entries/")]), 2, "the number of entries on the invoice")
    for to in causes:
        if to.startswith("/entries/"):
            story.staff.see(to).must_say("Studio")
    return "two entries, the offline one included, and one booking, each once and opened to its cause"
