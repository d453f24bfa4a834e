# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words of the notices in Finnish, Swedish and English.

They stand here and not in the pages' catalogues because a notice is in its reader's language, not in that of whoever prints it.
"""

from __future__ import annotations

LANGUAGES = {"fi": "Suomi", "sv": "Svenska", "en": "English"}

_ENGLISH = {
    "title_door": "Data protection at this door",
    "title_site": "Data protection at the doors of this house",
    "title_hub": "Data protection in this hub",
    "title_staff": "What is recorded of the staff's work in this system",
    "who": "Who answers for it",
    "officer": "Data protection officer: {officer}",
    "contact": "Write to: {email}",
    "not_stated": "Not stated yet. Ask the staff of the house.",
    "logged": "What is recorded here",
    "logged_door": "Each time a keytag is held to the reader: the time, the door and its direction, whether it opened and if"
    " not why, and whether somebody went in. No picture and no sound.",
    "knows": "The box at the door knows no names: it holds keytags under a code of its own. The hub's server knows who holds"
    " a keytag.",
    "named": "Whose name is shown",
    "priced": "The staff see your name only where you enter a space that costs something: the bill rests on it. All other"
    " taps are shown to them without a name.",
    "always": "The staff see your name with each tap. The reason: {reason}",
    "never": "The staff are shown no names. The server keeps whose keytag it was, so that you can be told of your own taps.",
    "long": "For how long",
    "long_door": "After {days} days the tap no longer tells who it was. That there was one, and when, stays.",
    "long_books": "What a bill rests on stays linked to you until {contest} days after its month was closed. Invoices are"
    " kept for {years} years after the year they were issued in, as bookkeeping asks.",
    "long_frozen": "If something happens at a door, the staff may keep what its record says of some days for longer, for a"
    " reason and until a set day. That is itself recorded.",
    "long_ended": "After a membership has ended, the name goes within {days} days, but for what the books need. Backups keep"
    " it until they are too old to be kept.",
    "seen": "Who sees it",
    "seen_by": "The staff who look after the house. Whoever looks at somebody's movements is recorded, for {days} days, and"
    " you can read who did, on the page “My data” or from the staff.",
    "basis": "On what ground",
    "rights": "What you may ask",
    "rights_list": "To see and get all that is kept about you, to have it corrected, erased or used less, and to object to"
    " its use. Ask on the page “My data”, or write to the address above. The answer comes within a month.",
    "authority": "If you think that it is not as it should be, you may complain to the authority: {authority}.",
    "doors": "The doors, one by one",
    "door": "Door",
    "names": "Names",
    "days": "Days",
    "short_priced": "only where it costs",
    "short_always": "always: {reason}",
    "short_never": "never",
    "staff_recorded": "What is recorded",
    "staff_sign_in": "Sign-ins: the time, the address on the network and the browser; wrong tries. Kept for {days} days.",
    "staff_acts": "What an account changes or asks for: access given, keytags handed out and blocked, doors opened or set to"
    " another mode with the reason, prices, closed months, settings of doors, data exported or erased. Kept for {days} days.",
    "staff_looks": "What an account looks at: whose taps, who was seen at the doors, whose use of the month. Kept for {days}"
    " days; the person may read it, with the name of the account's holder.",
    "staff_doors": "Staff who carry a keytag: the doors' records, as of everybody else.",
    "staff_not": "The system keeps no working hours, makes no ratings and compares nobody with others.",
    "staff_who": "Who sees it",
    "staff_who_list": "Administrators, on the pages of the person, door or account that it concerns. Everybody sees their own"
    " on “My data”.",
    "staff_why": "Why, and how it was handled with the staff",
    "staff_law": "In Finland the law on privacy in working life asks that the purpose and methods of such records are handled"
    " with the staff before they are taken into use. Whether the law asks for more here is the employer's to find out: this"
    " description only says what the software does.",
    "printed": "Printed from the settings in force on {day}.",
}

_FINNISH = {
    "title_door": "Tietosuoja tällä ovella",
    "title_site": "Tietosuoja tämän talon ovilla",
    "title_hub": "Tietosuoja tässä keskuksessa",
    "title_staff": "Mitä henkilökunnan työstä kirjataan tähän järjestelmään",
    "who": "Kuka vastaa",
    "officer": "Tietosuojavastaava: {officer}",
    "contact": "Kirjoita: {email}",
    "not_stated": "Ei vielä ilmoitettu. Kysy talon henkilökunnalta.",
    "logged": "Mitä täällä kirjataan",
    "logged_door": "Joka kerta, kun avainlätkä viedään lukijaan: aika, ovi ja kulkusuunta, avautuiko ovi ja ellei, miksi,"
    " sekä menikö joku sisään. Ei kuvaa eikä ääntä.",
    "knows": "Ovella oleva laite ei tunne nimiä: se tuntee avainlätkät omalla koodillaan. Keskuksen palvelin tietää, kenellä"
    " lätkä on.",
    "named": "Kenen nimi näkyy",
    "priced": "Henkilökunta näkee nimesi vain, kun menet maksulliseen tilaan: lasku perustuu siihen. Muut leimaukset näkyvät"
    " heille ilman nimeä.",
    "always": "Henkilökunta näkee nimesi jokaisen leimauksen kohdalla. Syy: {reason}",
    "never": "Henkilökunnalle ei näytetä nimiä. Palvelin säilyttää tiedon siitä, kenen avainlätkä oli, jotta voit nähdä omat"
    " leimauksesi.",
    "long": "Kuinka kauan",
    "long_door": "{days} päivän kuluttua leimauksesta ei enää näe, kuka se oli. Tieto leimauksesta ja sen ajasta säilyy.",
    "long_books": "Se, mihin lasku perustuu, pysyy yhdistettynä sinuun, kunnes kuukauden sulkemisesta on {contest} päivää."
    " Laskut säilytetään {years} vuotta sen vuoden päättymisestä, jona ne tehtiin, kuten kirjanpito vaatii.",
    "long_frozen": "Jos ovella tapahtuu jotakin, henkilökunta voi säilyttää joidenkin päivien tiedot kauemmin, syystä ja"
    " määräpäivään saakka. Sekin kirjataan.",
    "long_ended": "Kun jäsenyys on päättynyt, nimi poistetaan {days} päivän kuluessa, paitsi mitä kirjanpito tarvitsee."
    " Varmuuskopioissa se säilyy, kunnes ne vanhenevat.",
    "seen": "Kuka tiedot näkee",
    "seen_by": "Talosta huolehtiva henkilökunta. Siitä, kuka katsoo jonkun kulkua, jää merkintä {days} päiväksi, ja voit"
    " lukea sen sivulta ”Omat tietoni” tai kysyä henkilökunnalta.",
    "basis": "Millä perusteella",
    "rights": "Mitä voit pyytää",
    "rights_list": "Nähdä ja saada kaiken, mitä sinusta säilytetään, oikaista ja poistattaa tietoja, rajoittaa niiden käyttöä"
    " ja vastustaa sitä. Pyydä sivulla ”Omat tietoni” tai kirjoita yllä olevaan osoitteeseen. Vastaus tulee kuukaudessa.",
    "authority": "Jos tietojasi mielestäsi käsitellään väärin, voit valittaa viranomaiselle: {authority}.",
    "doors": "Ovet yksitellen",
    "door": "Ovi",
    "names": "Nimet",
    "days": "Päiviä",
    "short_priced": "vain maksullisissa tiloissa",
    "short_always": "aina: {reason}",
    "short_never": "ei koskaan",
    "staff_recorded": "Mitä kirjataan",
    "staff_sign_in": "Kirjautumiset: aika, verkko-osoite ja selain; väärät yritykset. Säilytetään {days} päivää.",
    "staff_acts": "Mitä tunnuksella muutetaan tai pyydetään: annettu pääsy, annetut ja suljetut avainlätkät, ovien avaukset ja"
    " tilan muutokset syineen, hinnat, suljetut kuukaudet, ovien asetukset, luovutetut ja poistetut tiedot. Säilytetään"
    " {days} päivää.",
    "staff_looks": "Mitä tunnuksella katsotaan: kenen leimauksia, ketkä on nähty ovilla, kenen kuukauden käyttöä. Säilytetään"
    " {days} päivää; henkilö itse voi lukea sen ja tunnuksen haltijan nimen.",
    "staff_doors": "Henkilökunta, jolla on avainlätkä: ovien tiedot kuten kaikilta muiltakin.",
    "staff_not": "Järjestelmä ei pidä työaikakirjanpitoa, ei arvioi eikä vertaa ketään muihin.",
    "staff_who": "Kuka tiedot näkee",
    "staff_who_list": "Ylläpitäjät sen henkilön, oven tai tunnuksen sivulla, jota tieto koskee. Jokainen näkee omansa sivulla"
    " ”Omat tietoni”.",
    "staff_why": "Miksi, ja miten asia on käsitelty henkilökunnan kanssa",
    "staff_law": "Suomessa laki yksityisyyden suojasta työelämässä edellyttää, että tällaisen valvonnan tarkoitus ja"
    " menetelmät käsitellään henkilökunnan kanssa ennen käyttöönottoa. Se, vaatiiko laki tässä muuta, on työnantajan"
    " selvitettävä: tämä kuvaus kertoo vain, mitä ohjelma tekee.",
    "printed": "Tulostettu asetuksista, jotka olivat voimassa {day}.",
}

_SWEDISH = {
    "title_door": "Dataskydd vid den här dörren",
    "title_site": "Dataskydd vid dörrarna i det här huset",
    "title_hub": "Dataskydd i den här hubben",
    "title_staff": "Vad som antecknas om personalens arbete i det här systemet",
    "who": "Vem som ansvarar",
    "officer": "Dataskyddsombud: {officer}",
    "contact": "Skriv till: {email}",
    "not_stated": "Ännu inte uppgivet. Fråga husets personal.",
    "logged": "Vad som antecknas här",
    "logged_door": "Varje gång en nyckelbricka hålls mot läsaren: tiden, dörren och riktningen, om dörren öppnades och om"
    " inte varför, samt om någon gick in. Ingen bild och inget ljud.",
    "knows": "Apparaten vid dörren känner inga namn: den känner brickorna under en egen kod. Hubbens server vet vem som har"
    " en bricka.",
    "named": "Vems namn som visas",
    "priced": "Personalen ser ditt namn bara när du går in i ett utrymme som kostar något: räkningen bygger på det. Alla"
    " andra avläsningar visas utan namn.",
    "always": "Personalen ser ditt namn vid varje avläsning. Orsaken: {reason}",
    "never": "Inga namn visas för personalen. Servern sparar vems bricka det var, så att du kan få veta dina egna avläsningar.",
    "long": "Hur länge",
    "long_door": "Efter {days} dagar framgår det inte längre vem det var. Att någon visade en bricka, och när, sparas.",
    "long_books": "Det som en räkning bygger på är kopplat till dig tills {contest} dagar har gått sedan månaden stängdes."
    " Fakturor sparas i {years} år efter det år då de gjordes, så som bokföringen kräver.",
    "long_frozen": "Om något händer vid en dörr kan personalen spara uppgifterna om vissa dagar längre, av en orsak och till"
    " en bestämd dag. Också det antecknas.",
    "long_ended": "När ett medlemskap har upphört tas namnet bort inom {days} dagar, utom det som bokföringen behöver. I"
    " säkerhetskopior finns det kvar tills de är för gamla för att sparas.",
    "seen": "Vem som ser uppgifterna",
    "seen_by": "Personalen som sköter huset. Den som ser på någons rörelser antecknas i {days} dagar, och du kan läsa vem det"
    " var på sidan ”Mina uppgifter” eller fråga personalen.",
    "basis": "På vilken grund",
    "rights": "Vad du kan begära",
    "rights_list": "Att se och få allt som sparas om dig, att få det rättat, raderat eller använt i mindre omfattning, och"
    " att invända mot användningen. Begär det på sidan ”Mina uppgifter” eller skriv till adressen ovan. Svaret kommer inom"
    " en månad.",
    "authority": "Om du anser att det inte är som det ska kan du klaga hos myndigheten: {authority}.",
    "doors": "Dörrarna en för en",
    "door": "Dörr",
    "names": "Namn",
    "days": "Dagar",
    "short_priced": "bara där det kostar",
    "short_always": "alltid: {reason}",
    "short_never": "aldrig",
    "staff_recorded": "Vad som antecknas",
    "staff_sign_in": "Inloggningar: tiden, nätadressen och webbläsaren; misslyckade försök. Sparas i {days} dagar.",
    "staff_acts": "Vad ett konto ändrar eller begär: givet tillträde, utdelade och spärrade brickor, dörrar som öppnats eller"
    " fått ett annat läge med orsak, priser, stängda månader, dörrarnas inställningar, utlämnade eller raderade uppgifter."
    " Sparas i {days} dagar.",
    "staff_looks": "Vad ett konto ser på: vems avläsningar, vilka som synts vid dörrarna, vems användning under månaden."
    " Sparas i {days} dagar; personen kan läsa det, med namnet på den som har kontot.",
    "staff_doors": "Personal som har en bricka: dörrarnas uppgifter, som om alla andra.",
    "staff_not": "Systemet för ingen arbetstidsbokföring, gör inga bedömningar och jämför ingen med andra.",
    "staff_who": "Vem som ser uppgifterna",
    "staff_who_list": "Administratörer, på sidan för den person, dörr eller det konto som uppgiften gäller. Var och en ser"
    " sina egna på ”Mina uppgifter”.",
    "staff_why": "Varför, och hur det har behandlats med personalen",
    "staff_law": "I Finland kräver lagen om integritetsskydd i arbetslivet att syftet med sådan övervakning och metoderna"
    " behandlas med personalen innan den tas i bruk. Om lagen här kräver mera ska arbetsgivaren ta reda på: den här"
    " beskrivningen säger bara vad programmet gör.",
    "printed": "Utskrivet ur de inställningar som gällde {day}.",
}

WORDS = {"fi": _FINNISH, "sv": _SWEDISH, "en": _ENGLISH}
