from selflift.train.cli import main

main()
