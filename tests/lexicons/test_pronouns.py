"""Her and his, in their contexts: a sentence and what it is of the other gender."""

import pytest

from perturbx.maskers import Swap

SENTENCES = """
Her book is here. | His book is here.
I saw her. | I saw him.
I saw him. | I saw her.
I saw her yesterday. | I saw him yesterday.
I gave her the book. | I gave him the book.
I gave her a book and her sister a pen. | I gave him a book and his brother a pen.
This book is hers. | This book is his.
This book is his. | This book is hers.
His was better than hers. | Hers was better than his.
She hurt herself. | He hurt himself.
He hurt himself. | She hurt herself.
Let her go. | Let him go.
Let her son go. | Let his daughter go.
They made her cry. | They made him cry.
We watched her walking home. | We watched him walking home.
Her walking stick broke. | His walking stick broke.
They made her happy. | They made him happy.
They made her happy mother laugh. | They made his happy father laugh.
I told her that it was late. | I told him that it was late.
I told her friends that it was late. | I told his friends that it was late.
I asked her to leave. | I asked him to leave.
With her and without her, we go. | With him and without him, we go.
It was her own idea. | It was his own idea.
It was her very own idea. | It was his very own idea.
I like her very much. | I like him very much.
She left her two sons behind. | He left his two daughters behind.
A friend of hers called. | A friend of his called.
We spoke of his life. | We spoke of her life.
Because of her, he won. | Because of him, she won.
Her: a portrait. | Him: a portrait.
I love her! | I love him!
I met her at her office. | I met him at his office.
She is his wife. | He is her husband.
He or she may bring his or her dog. | She or he may bring her or his dog.
HER BOOK IS HERS. | HIS BOOK IS HIS.
We left her alone. | We left him alone.
I know her better than you. | I know him better than you.
I know her best friend. | I know his best friend.
They gave her advice. | They gave him advice.
They gave her dog to a neighbour. | They gave his dog to a neighbour.
I think her brilliant work matters. | I think his brilliant work matters.
They heard her sing. | They heard him sing.
They heard her song. | They heard his song.
I asked her why. | I asked him why.
I saw her car, not his. | I saw his car, not hers.
They followed her home. | They followed him home.
Her home is small. | His home is small.
She saw him and his dog. | He saw her and her dog.
It is up to her whether we stay. | It is up to him whether we stay.
I call her every day. | I call him every day.
Her first day was hard. | His first day was hard.
I saw her first. | I saw him first.
It was her first. | It was his first.
They kept her waiting. | They kept him waiting.
The nurse's daughter lost her keys. | The nurse's son lost his keys.
We met his disorderly students. | We met her disorderly students.
They met her family. | They met his family.
We thanked her warmly. | We thanked him warmly.
Her children love her. | His children love him.
Give her back her ring. | Give him back his ring.
They named her Alice. | They named him Henry.
I find her attractive. | I find him attractive.
He's proud of his daughter. | She's proud of her son.
I met her and her husband. | I met him and his wife.
It is about her and her work. | It is about him and his work.
This book is his and his wife reads it. | This book is hers and her husband reads it.
It is her and her husband's house. | It is his and his wife's house.
She gave her her book. | He gave him his book.
He gave him his book. | She gave her her book.
They told her her flight was late. | They told him his flight was late.
I met her or his wife. | I met his or her husband.
Bring his/her dog. | Bring her/his dog.
Bring her/his dog. | Bring his/her dog.
"""
PAIRS = [tuple(map(str.strip, line.split("|"))) for line in SENTENCES.strip().splitlines()]


@pytest.mark.parametrize(("sentence", "other"), PAIRS)
def test_pronouns_keep_their_grammar(sentence, other):
    assert Swap("gender").swapped(sentence).text == other


NEUTRAL = """
She is here. | They are here.
She's late, and he's gone home. | They're late, and they've gone home.
Is she tired? | Are they tired?
He carries his mother's bag. | They carry their parent's bag.
She always watches him. | They always watch them.
He could see that she was right. | They could see that they were right.
I know she does her best. | I know they do their best.
SHE HAS IT. | THEY HAVE IT.
She said he sings. | They said they sing.
He focuses, but she uses it. | They focus, but they use it.
She undergoes it and he belies it. | They undergo it and they belie it.
She goes and does it. | They go and do it.
She walks and then always sings or dances. | They walk and then always sing or dance.
She sings and James plays. | They sing and James plays.
He who laughs last laughs best. | They who laugh last laugh best.
He who hesitates is lost. | They who hesitate are lost.
"""
NEUTRAL_PAIRS = [tuple(map(str.strip, line.split("|"))) for line in NEUTRAL.strip().splitlines()]


@pytest.mark.parametrize(("sentence", "other"), NEUTRAL_PAIRS)
def test_the_verb_of_they_is_a_plural(sentence, other):
    assert Swap("gender", to="neutral").swapped(sentence).text == other
