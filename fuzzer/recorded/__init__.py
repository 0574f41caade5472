"""What is done with recorded exchanges: judged again, sent again, compared?"""
