"""Closed classes of English words, by which the neighbours of a term are told."""

from __future__ import annotations

from typing import Final


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


BE: Final = _words(
    "am is are was were be been being 'm 's 're i'm im you're he's she's they're we're isn't "
    "aren't wasn't weren't ain't become becomes became seem seems look looks feel feels"
)

DETERMINERS: Final = _words(
    "a an the this that these those some any no each every either neither another all both half "
    "what whatever which whichever"
)

PRONOUNS: Final = _words(
    "i you he she it we they me him us them mine yours hers ours theirs myself yourself himself "
    "herself itself ourselves themselves who whom whose my your his her their our its someone "
    "anyone everyone something anything everything nothing"
)

PREPOSITIONS: Final = _words(
    "about above across after against along among around as at before behind below beneath beside "
    "besides between beyond by despite down during except for from in inside into like near of "
    "off on onto out outside over past since through throughout to toward towards under until "
    "till up upon via with within without per than regarding concerning"
)

CONJUNCTIONS: Final = _words(
    "and or but nor so yet because although though while whereas if unless when whenever where "
    "wherever whether once lest why how & n't"
)

AUXILIARIES: Final = _words(
    "am is are was were be been being have has had do does did will would shall should can could "
    "may might must ought cannot can't won't don't doesn't didn't isn't aren't wasn't weren't "
    "haven't hasn't hadn't wouldn't shouldn't couldn't"
)

ADVERBS: Final = _words(
    "again already also always altogether anymore anyway anywhere away back barely even ever "
    "everywhere here hence hardly however indeed instead just later maybe merely much never "
    "nevertheless not now nowhere often only otherwise perhaps quite rather really seldom simply "
    "sometimes somewhere soon still then there therefore thus today together tomorrow tonight too "
    "twice usually very well yesterday either immediately alone afterwards please obviously "
    "apparently clearly carefully quickly slowly directly personally eventually finally suddenly "
    "earlier first last"
)

FUNCTION_WORDS: Final = DETERMINERS | PRONOUNS | PREPOSITIONS | CONJUNCTIONS | AUXILIARIES | ADVERBS
"""What follows a phrase rather than going on with it."""

PERSON_NOUNS: Final = _words(
    "people person persons man men woman women guy guys gal gals boy boys girl girls male males "
    "female females lady ladies gentleman gentlemen dude dudes folk folks kid kids child children "
    "adult adults teen teens teenager teenagers youth youths baby babies human humans being "
    "beings individual individuals citizen citizens resident residents immigrant immigrants "
    "refugee refugees community communities population populations family families couple couples "
    "parent parents mother mothers father fathers mom moms dad dads son sons daughter daughters "
    "brother brothers sister sisters wife wives husband husbands friend friends neighbor "
    "neighbors neighbour neighbours student students pupil pupils teacher teachers worker workers "
    "employee employees colleague colleagues boss bosses manager managers customer customers "
    "client clients patient patients user users voter voters neighborhood neighborhoods "
    "neighbourhood neighbourhoods household households minority minorities majority group groups "
    "culture cultures bloke blokes bastard bastards bitch bitches fellow fellows politician "
    "politicians president senator candidate candidates actor actors actress artist artists "
    "author authors writer writers singer singers rapper rappers musician musicians comedian "
    "athlete athletes player players officer officers cop cops doctor doctors nurse nurses lawyer "
    "lawyers judge judges soldier soldiers veteran veterans driver drivers engineer engineers "
    "scientist scientists professor professors applicant applicants tenant tenants guest guests "
    "victim victims criminal criminals thug thugs suspect suspects defendant prisoner prisoners "
    "slave slaves lover lovers partner partners dater daters activist activists christian "
    "christians muslim muslims jew jews catholic catholics american americans canadian canadians "
    "african africans european europeans mexican brit brits german germans ppl peeps supremacist "
    "supremacists nationalist nationalists privilege power pride lives race relative relatives "
    "aunt uncle grandma grandmother grandpa grandfather lad lads lass crowd audience congregation "
    "team crew staff owner owners buyer buyers leader leaders member members marriage marriages "
    "relationship relationships wedding rights sex identity bar bars club clubs agenda lifestyle "
    "movement infant infants toddler toddlers trash scum vermin filth life skin representation "
    "studies liberation voices history theory heritage equality nationalism businessman "
    "businessmen businesswoman policeman policemen foreigner foreigners accountant accountants "
    "actuary actuaries adviser advisers advisor advisors agent agents ambassador ambassadors "
    "analyst analysts announcer announcers architect architects assistant assistants attendant "
    "attendants auditor auditors baker bakers banker bankers barber barbers barista baristas "
    "bartender bartenders biologist biologists bricklayer bricklayers broadcaster broadcasters "
    "builder builders butcher butchers captain captains caregiver caregivers caretaker caretakers "
    "carer carers carpenter carpenters cashier cashiers ceo ceos chef chefs chemist chemists "
    "chief chiefs classmate classmates clerk clerks cleaner cleaners coach coaches coder coders "
    "commander commanders commuter commuters conductor conductors consultant consultants "
    "contractor contractors coordinator coordinators counselor counselors counsellor counsellors "
    "courier couriers craftsman craftsmen critic critics curator curators dancer dancers dealer "
    "dealers dentist dentists designer designers detective detectives developer developers "
    "dietitian dietitians diplomat diplomats director directors diver divers doorman doormen "
    "editor editors educator educators electrician electricians entrepreneur entrepreneurs "
    "examiner examiners executive executives expert experts facilitator facilitators farmer "
    "farmers fighter fighters firefighter firefighters fisherman fishermen florist florists "
    "foreman foremen gardener gardeners governor governors graduate graduates grocer grocers "
    "hairdresser hairdressers handyman handymen helper helpers historian historians housekeeper "
    "housekeepers hygienist hygienists illustrator illustrators inspector inspectors installer "
    "installers instructor instructors intern interns interpreter interpreters inventor inventors "
    "investigator investigators investor investors janitor janitors jeweler jewelers journalist "
    "journalists juror jurors laborer laborers labourer labourers landlord landlords lecturer "
    "lecturers librarian librarians lifeguard lifeguards locksmith locksmiths maid maids "
    "mathematician mathematicians mayor mayors mechanic mechanics mediator mediators mentor "
    "mentors merchant merchants messenger messengers midwife midwifes miner miners minister "
    "ministers mover movers nanny nannies newcomer newcomers novelist novelists nutritionist "
    "nutritionists operator operators optician opticians organizer organizers painter painters "
    "paralegal paralegals paramedic paramedics passenger passengers pedestrian pedestrians "
    "performer performers pharmacist pharmacists philosopher philosophers photographer "
    "photographers physician physicians physicist physicists pianist pianists pilot pilots "
    "plumber plumbers poet poets porter porters postman postmen preacher preachers principal "
    "principals producer producers programmer programmers promoter promoters prosecutor "
    "prosecutors psychologist psychologists publisher publishers receptionist receptionists "
    "recruiter recruiters referee referees reporter reporters researcher researchers retiree "
    "retirees reviewer reviewers roommate roommates sailor sailors salesman salesmen salesperson "
    "salespersons salespeople scholar scholars sculptor sculptors secretary secretaries seller "
    "sellers sheriff sheriffs shopper shoppers shopkeeper shopkeepers socialist socialists "
    "specialist specialists speaker speakers spokesperson spokespersons steward stewards "
    "strategist strategists supervisor supervisors surgeon surgeons surveyor surveyors tailor "
    "tailors technician technicians teller tellers therapist therapists tourist tourists trader "
    "traders trainee trainees trainer trainers translator translators traveler travelers "
    "traveller travellers treasurer treasurers trucker truckers tutor tutors undergraduate "
    "undergraduates vendor vendors veterinarian veterinarians vet vets violinist violinists "
    "viewer viewers visitor visitors volunteer volunteers waiter waiters waitress waitresses "
    "warden wardens watchman watchmen welder welders witness witnesses host hosts hostess "
    "hostesses housemate housemates flatmate flatmates bystander bystanders stranger strangers "
    "attacker attackers robber robbers thief thieves killer killers murderer murderers gangster "
    "gangsters terrorist terrorists idiot idiots moron morons fool fools liar liars loser losers "
    "hero heros heroine heroines celebrity celebrities genius geniuses pastor pastors priest "
    "priests imam imams rabbi rabbis guards cooks stars"
    "moderator moderators apprentice apprentices innkeeper innkeepers caterer caterers owner "
    "councillor councillors server servers cook guard sibling siblings spouse spouses "
    "homeowner homeowners ally allies"
)
"""What an adjective of identity is said of."""

HEADS: Final = PERSON_NOUNS - _words(
    "people folks being beings privilege power pride lives race rights sex identity lifestyle "
    "trash scum vermin filth life skin representation history theory equality"
)
"""What a noun of identity is said of, too: "a woman doctor", but not "the man people love"."""

IDENTITY_ADJECTIVES: Final = _words(
    "black white asian latino latina hispanic latinx arab african european american native "
    "indigenous gay lesbian bisexual straight queer trans transgender cis nonbinary muslim "
    "christian jewish hindu buddhist sikh catholic protestant atheist young old elderly "
    "middle-aged middle younger older teenage deaf blind disabled autistic male female mexican "
    "chinese indian german french japanese italian irish poor rich single married little big tall "
    "fat working-class conservative liberal"
)
"""Adjectives that may stand between an identity and the person."""

BASE_VERBS: Final = _words(
    "go come be do have know see feel think cry leave stay sleep eat drink sit stand walk run "
    "talk speak say tell laugh smile die live work play sing dance win lose get take make give "
    "find keep believe understand realize realise look wait move pass try start stop finish "
    "suffer decide choose pay help want need love hate like fall rise grow read write drive enter "
    "join carry open close perform apply blush forget remember regret"
)

ALSO_VERBS: Final = _words("host master minister")
"""Nouns of a lexicon that are verbs behind "to", a modal or a pronoun."""

MODALS: Final = _words(
    "to will would shall should can could may might must cannot can't won't wouldn't couldn't "
    "don't doesn't didn't i you we they who"
)
"""What stands before the plain form of a verb."""

COLOURED: Final = _words(
    "in wear wears wearing wore worn dressed pitch jet painted dyed turned turns went"
)
"""Behind these *black* and *white* are colours, if no one follows."""

CAUSATIVES: Final = _words(
    "let lets letting make makes made making help helps helped helping see sees saw seen seeing "
    "hear hears heard hearing watch watches watched watching have had having bid notice noticed "
    "feel felt"
)
"""Verbs behind which *her* has a verb of its own: "made her cry"."""

PERCEPTIONS: Final = _words(
    "see sees saw seen seeing hear hears heard hearing watch watches watched watching catch "
    "catches caught find finds found notice notices noticed keep keeps kept leave leaves left "
    "spot spotted stop stopped imagine picture remember remembered"
)
"""Verbs behind which *her* has a participle: "saw her walking"."""

STATES: Final = _words(
    "happy sad angry mad proud sick laugh nervous uncomfortable comfortable famous rich poor "
    "crazy jealous alive dead pregnant safe awake asleep attractive beautiful guilty innocent "
    "responsible accountable hostage unconscious"
)
"""What *her* is made, kept or found: "made her happy"."""

ESCORTS: Final = _words(
    "follow follows followed following drive drives drove walk walks walked take takes took taken "
    "send sends sent bring brings brought see saw escort escorted invite invited carry carried"
)
"""Verbs behind which *home* is where she is taken: "followed her home"."""

NAMING: Final = _words("call calls called calling name names named naming")
"""Verbs behind which *her* gets a name: "called her Mary"."""

DITRANSITIVES: Final = _words(
    "give gives gave given giving hand handed offer offers offered offering owe owes owed teach "
    "teaches taught teaching lend lent"
)
"""Verbs behind which *her* is the one who gets something: "gave her advice"."""

OF_LANGUAGES: Final = _words(
    "in into speak speaks speaking spoke spoken learn learns learning learned study studies "
    "studying studied translate translated understand understands understood taught teach teaches "
    "fluent"
)
"""Behind these *French* is a language, if nothing follows that it could be said of."""
